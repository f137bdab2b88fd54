// npm's json-server with a directory of users, for spec/json_server_spec.lua:
//
//   node json_server.js COUNT PORT_FILE
//
// It serves /users on a free port of loopback, writes the port to the file, and ends with its standard input.

const fs = require("fs");
const server = require("json-server");

const [count, portFile] = process.argv.slice(2);
const users = Array.from({ length: Number(count) }, (_, at) => ({
  id: at + 1,
  email: `user${at + 1}@example.com`,
  name: at % 7 === 0 ? `Ünï "${at}" 漢字` : `User ${at}`,
  status: at % 3 === 0 ? "off" : "on",
}));

const app = server.create();
app.use(server.defaults({ logger: false }));
app.use(server.router({ users }));
const listener = app.listen(0, "127.0.0.1", () => {
  fs.writeFileSync(portFile, `${listener.address().port}\n`);
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
