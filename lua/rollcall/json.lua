-- Small whole documents: tokens, error bodies, request bodies. Uses lua-cjson or, if it is not installed, Neovim's copy
-- of it. Users are never decoded here.

local core = require "rollcall.core"
local tables = require "rollcall.tables"

local installed, cjson = pcall(require, "cjson")
if not installed then
  local vim = rawget(_G, "vim")
  if not (vim and vim.json) then
    error(cjson, 0)
  end
  cjson = vim.json
  core.null = vim.NIL -- the null that its encoder knows
  core.set_null(vim.NIL)
end
-- Our own instance, if possible: a script's settings, such as the precision, must not affect what is saved and sent.
cjson = cjson.new and cjson.new() or cjson

local json = {}

--- The document as a Lua value; or nil and what is wrong with it.
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

--- A value for `encode` whose JSON text is given: its numbers keep all their digits.
---@param text string
---@return table
function json.raw(text)
  return setmetatable({ text }, RAW)
end

--- Lua 5.4 writes the decimal point of the script's locale: replaces it by ".".
local function with_point(text)
  return (text:gsub("[^%deE+-]+", "."))
end

--- A number in the fewest digits that identify it, an integer in all of its digits.
---@param number number
---@return string
function json.number(number)
  local text = tostring(number)
  if text:find "^-?%d+$" and tonumber(text) == number then -- true of every integer of Lua 5.4
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

--- Does lua-cjson, which writes 14 digits, write it without loss?
local function is_short(number)
  return number ~= number or math.abs(number) == math.huge or tonumber(("%.14g"):format(number)) == number
end

--- The value at a pointer in a document's text: with "text" numbers as they are written there, with "json" any value as
--- written; nil if there is none.
---@param text string
---@param pointer string
---@param form "text"|"json"
---@return any
function json.written(text, pointer, form)
  local _, steps = pointer:gsub("/", "")
  if steps >= core.most_steps then -- with the one of "/document" too many
    return nil
  end
  local decoder = core.decoder { items = "/items", capture = { "/document" .. pointer }, containers = true }
  local good = decoder:feed('{"items":[],"document":' .. text .. "}") and decoder:finish()
  return good and decoder:captured("/document" .. pointer, form) or nil
end

--- Is there anything in it that lua-cjson would not write without loss?
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
