// npm's stripe-stateful-mock with a directory of customers, for spec/stripe_server_spec.lua:
//
//   node stripe_server.js COUNT TOKEN PORT_FILE
//
// It serves /v1/customers of TOKEN's account, made by its own API, on a free port of loopback, writes the port to the
// file, and ends with its standard input.

const fs = require("fs");
const { createExpressApp } = require("stripe-stateful-mock");

const [count, token, portFile] = process.argv.slice(2);
const listener = createExpressApp().listen(0, "127.0.0.1", async () => {
  const { port } = listener.address();
  for (let number = 1; number <= Number(count); number++) {
    const response = await fetch(`http://127.0.0.1:${port}/v1/customers`, {
      method: "POST",
      headers: { Authorization: `Bearer ${token}` },
      body: new URLSearchParams({
        id: `cus_${String(number).padStart(5, "0")}`,
        email: `user${number}@example.com`,
        description: number % 7 === 0 ? `Ünï "${number}" 漢字` : `User ${number}`,
      }),
    });
    if (!response.ok) {
      throw new Error(await response.text());
    }
  }
  fs.writeFileSync(portFile, `${port}\n`);
});

process.stdin.resume();
process.stdin.on("end", () => process.exit(0));
