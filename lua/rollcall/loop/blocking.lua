-- How a plain script waits: it blocks, in poll(2), until one of its engines has something to do.

local core = require "rollcall.core"

return { wait = core.wait }
