-- Small whole documents, by lua-cjson: tokens, error bodies, request bodies. Users never pass here.

local cjson = require "cjson"

local json = {}

--- The document as Lua values; nil and what is wrong with it.
---@param text string
---@return any
---@return string? problem
function json.decode(text)
  local good, value = pcall(cjson.decode, text)
  if good then
    return value
  end
  return nil, tostring(value)
end

---@param object table
---@return string
function json.encode(object)
  return cjson.encode(object)
end

return json
