-- The fixed directory that the sandbox serves, for the server and for tests alike: the same users, in the same order
-- and the same spelling, on every Lua and every machine. Users are generated when first asked for; all tables handed
-- out are shared, so they are read-only.

local clock = require "sandbox.data.clock"
local json = require "sandbox.data.json"

return {
  now = clock.now,          -- the moment at which this directory stands still, RFC 3339
  null = json.null,         -- cjson.null where there is cjson
  tesouro = require "sandbox.data.tesouro",
  dintero = require "sandbox.data.dintero",
}
