-- Small whole documents: tokens, error bodies, request bodies. By lua-cjson, or by Neovim's own copy of it
-- where that is not installed. Users never pass here.

local core = require "rollcall.core"

local installed, cjson = pcall(require, "cjson")
if not installed then
  local vim = rawget(_G, "vim")
  if not (vim and vim.json) then
    error(cjson, 0)
  end
  cjson = vim.json
  core.null = vim.NIL -- which is what its encoder knows
  core.set_null(vim.NIL)
end
-- One of our own, where it makes one: what a script sets, such as its precision, is not for what is kept and sent here.
cjson = cjson.new and cjson.new() or cjson

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

local RAW = {}

--- A value whose JSON text is known, for `encode`: numbers in it stay as long as they are.
---@param text string
---@return table
function json.raw(text)
  return setmetatable({ text }, RAW)
end

local function has_raw(value)
  if type(value) ~= "table" or getmetatable(value) == RAW then
    return type(value) == "table"
  end
  for _, member in pairs(value) do
    if has_raw(member) then
      return true
    end
  end
  return false
end

--- The JSON text of a value. A raw one stands in objects only.
---@param value any
---@return string
function json.encode(value)
  if getmetatable(value) == RAW then
    return value[1]
  elseif not has_raw(value) then
    return cjson.encode(value)
  end
  local members = {}
  for name, member in pairs(value) do
    members[#members + 1] = cjson.encode(tostring(name)) .. ":" .. json.encode(member)
  end
  table.sort(members)
  return "{" .. table.concat(members, ",") .. "}"
end

return json
