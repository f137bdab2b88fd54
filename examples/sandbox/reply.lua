-- Ways to respond to a request.

local cjson = require "cjson"

local reply = {}

-- `body` is JSON text, or a table to encode. The content type defaults to application/json. If this request meets a
-- fault (faults.lua), the fault gets the response instead.
function reply.json(status, body, content_type)
  if type(body) == "table" then body = cjson.encode(body) end
  if ngx.ctx.spoil then return ngx.ctx.spoil(status, body, content_type) end
  ngx.status = status
  ngx.header["Content-Type"] = content_type or "application/json"
  ngx.header["Content-Length"] = #body
  ngx.print(body)
end

return reply
