-- The fixed directory that the sandbox serves, for the server and the tests: the same users, in the same order and
-- spelling, on every Lua and every machine. Users are generated when first needed; all returned tables are shared, and
-- therefore read-only.

local clock = require "sandbox.data.clock"
local json = require "sandbox.data.json"

return {
  now = clock.now,          -- the fixed time of this directory, RFC 3339
  null = json.null,         -- cjson.null if there is cjson
  tesouro = require "sandbox.data.tesouro",
  dintero = require "sandbox.data.dintero",
}
