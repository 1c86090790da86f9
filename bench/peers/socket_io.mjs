/**
 * Socket.IO with the Redis adapter as its documentation sets it up: everybody is in one room, and
 * what one socket sends goes to that room. The first argument is the URL of Redis.
 */
import { createServer } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";
import { answerOnce } from "./answer_once.mjs";

const require = createRequire(`${process.cwd()}/`);
const { Server } = require("socket.io");
const { createAdapter } = require("@socket.io/redis-adapter");
const { createClient } = require("redis");

const publisher = createClient({ url: process.argv[2] });
const subscriber = publisher.duplicate();
await Promise.all([publisher.connect(), subscriber.connect()]);

const http = createServer();
const key = `bench-${process.pid}-${Date.now()}`;
const io = new Server(http, {
  adapter: createAdapter(publisher, subscriber, { key }),
  transports: ["websocket"],
  serveClient: false,
});
io.on("connection", (socket) => {
  socket.join("room");
  socket.on("m", (message) => io.to("room").emit("m", message));
});
answerOnce(http);
