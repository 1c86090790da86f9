/** The smallest fan-out server on `ws`: what one socket sends goes to everybody. */
import { createServer } from "node:http";
import { createRequire } from "node:module";
import process from "node:process";
import { answerOnce } from "./answer_once.mjs";

const { WebSocketServer } = createRequire(`${process.cwd()}/`)("ws");

const http = createServer();
const sockets = new WebSocketServer({ server: http, perMessageDeflate: false });
sockets.on("connection", (socket) => {
  socket.on("error", () => {});
  socket.on("message", (data) => {
    const text = data.toString();
    for (const other of sockets.clients) if (other.readyState === 1) other.send(text);
  });
});
answerOnce(http);
