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

---@param object table
---@return string
function json.encode(object)
  return cjson.encode(object)
end

return json
