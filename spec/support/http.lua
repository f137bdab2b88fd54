-- One HTTP request, by rollcall.core's engine and nothing of the Lua layer.

local core = require "rollcall.core"

local http = {}

---@class spec.Answer
---@field status integer? nil where there was no whole answer
---@field headers table<string, string> by names in any case
---@field body string
---@field failure string? and why
---@field line string?

--- Sends a request ({ method, url, headers, body, … }, see engine:request) and waits for the answer.
---@param options table|string or just a URL
---@return spec.Answer
function http.request(options)
  if type(options) == "string" then
    options = { url = options }
  end
  local engine = core.engine()
  local asked = { max_collected = 2 ^ 28, proxy = "" }
  for name, value in pairs(options) do
    asked[name] = value
  end
  local transfer = assert(engine:request(asked))
  while not transfer:done() do
    core.wait({ engine }, 60)
  end
  local failure, line = transfer:failure()
  engine:close()
  return {
    status = transfer:status(),
    body = (transfer:body()),
    failure = failure,
    line = line,
    headers = setmetatable({}, { __index = function(_, name)
      return transfer:header(name)
    end }),
  }
end

return http
