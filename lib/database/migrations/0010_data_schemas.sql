-- What the data of a device's messages must look like: a JSON Schema, or nothing.
alter table devices add column data_schema jsonb;
