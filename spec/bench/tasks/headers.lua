-- Prints what the sandbox calls the encoding of a page.

local http = require "spec.support.http"
local sandbox = require "spec.bench.sandbox"

local answer = http.request {
  url = sandbox.tesouro_url .. "/identity/v1/users",
  headers = { "Authorization: Bearer " .. sandbox.tesouro_token() },
}
assert(answer.status == 200, answer.body)
print(answer.headers["content-encoding"])
