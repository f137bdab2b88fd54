// npm's SCIM 2.0 server (scimmy, by express) with a directory of users, for spec/scim_server_spec.lua:
//
//   node scim_server.js COUNT TOKEN PORT_FILE
//
// It serves /scim/v2/Users on a free port of loopback, writes the port to the file, and ends with its standard input.

const fs = require("fs");
const express = require("express");
const { default: SCIMMY } = require("scimmy");
const { default: SCIMMYRouters } = require("scimmy-routers");

const [count, token, portFile] = process.argv.slice(2);
const users = Array.from({ length: Number(count) }, (_, at) => ({
  id: `u${String(at + 1).padStart(5, "0")}`,
  userName: `user${at + 1}`,
  displayName: at % 3 === 0 ? undefined : `User ${at + 1}`,
  name: { formatted: `Üser "${at + 1}" 漢字`, familyName: "Example" },
  emails: [
    { value: `home${at + 1}@example.com`, type: "home" },
    { value: `user${at + 1}@example.com`, type: "work", primary: true },
  ],
  active: at % 4 !== 0,
  meta: { created: "2026-01-31T12:00:00.000Z", lastModified: "2026-02-28T12:00:00.000Z" },
}));

SCIMMY.Resources.declare(SCIMMY.Resources.User, {
  egress: (resource) => (resource.filter ? resource.filter.match(users) : users),
});

const app = express();
app.use("/scim/v2", new SCIMMYRouters({
  type: "bearer",
  handler: (request) => {
    if (request.header("Authorization") !== `Bearer ${token}`) {
      throw new Error("who is this?");
    }
    return "u00001";
  },
}));
const listener = app.listen(0, "127.0.0.1", () => {
  fs.writeFileSync(portFile, `${listener.address().port}\n`);
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
