-- Small whole documents: tokens, error bodies, request bodies. By lua-cjson, or by Neovim's own copy of it
-- where that is not installed. Users never pass here.

local core = require "rollcall.core"
local tables = require "rollcall.tables"

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

--- Lua 5.4 writes the decimal point of the script's locale.
local function with_point(text)
  return (text:gsub("[^%deE+-]+", "."))
end

--- A number in as few digits as say which it is, an integer in all of its digits.
---@param number number
---@return string
function json.number(number)
  local text = tostring(number)
  if text:find "^-?%d+$" and tonumber(text) == number then -- as is every integer of Lua 5.4
    return text
  elseif number == math.floor(number) and number > -2 ^ 63 and number < 2 ^ 63 then
    return ("%.0f"):format(number)
  end
  for digits = 14, 16 do
    text = ("%%.%dg"):format(digits):format(number)
    if tonumber(text) == number then
      return with_point(text)
    end
  end
  return with_point(("%.17g"):format(number))
end

--- Does lua-cjson, which writes 14 digits, write it as it is?
local function is_short(number)
  return number ~= number or math.abs(number) == math.huge or tonumber(("%.14g"):format(number)) == number
end

--- What stands at a pointer in a document's text, numbers as they are written there or, with "json", anything; nil
--- where nothing does.
---@param text string
---@param pointer string
---@param form "text"|"json"
---@return any
function json.written(text, pointer, form)
  local decoder = core.decoder { items = "/items", capture = { "/document" .. pointer }, containers = true }
  local good = decoder:feed('{"items":[],"document":' .. text .. "}") and decoder:finish()
  return good and decoder:captured("/document" .. pointer, form) or nil
end

--- Is there anything in it that lua-cjson would not write as it is?
local function is_ours(value)
  if type(value) == "number" then
    return not is_short(value)
  elseif type(value) ~= "table" then
    return false
  elseif getmetatable(value) == RAW then
    return true
  end
  for _, member in pairs(value) do
    if is_ours(member) then
      return true
    end
  end
  return false
end

--- The JSON text of a value.
---@param value any
---@return string
function json.encode(value)
  if not is_ours(value) then
    return cjson.encode(value)
  elseif type(value) == "number" then
    return json.number(value)
  elseif getmetatable(value) == RAW then
    return value[1]
  end
  local members = {}
  if value[1] ~= nil and tables.is_list(value) then
    for i, member in ipairs(value) do
      members[i] = json.encode(member)
    end
    return "[" .. table.concat(members, ",") .. "]"
  end
  for name, member in pairs(value) do
    members[#members + 1] = cjson.encode(tostring(name)) .. ":" .. json.encode(member)
  end
  table.sort(members)
  return "{" .. table.concat(members, ",") .. "}"
end

return json
