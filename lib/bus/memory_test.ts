import { busContract } from "./contract.ts";
import { createMemoryBus } from "./memory.ts";

busContract(
  "memory bus",
  () => Promise.resolve({ bus: createMemoryBus(), close: () => Promise.resolve() }),
  (name, fn) =>
    Deno.test({ name, fn, sanitizeOps: true, sanitizeResources: true, sanitizeExit: true }),
);
