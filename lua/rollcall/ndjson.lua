-- Users as lines of JSON (NDJSON): one object per line.

local core = require "rollcall.core"
local json = require "rollcall.json"
local path = require "rollcall.path"
local tables = require "rollcall.tables"

local null = core.null

--- A column of a file or table: a field's name, or a name and a function that returns the value.
---@alias rollcall.Column string|{ name: string, get: fun(user: rollcall.User|table): any }

local ndjson = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r",
  ["\t"] = "\\t" }

local function escape(character)
  return ESCAPES[character] or ("\\u%04x"):format(character:byte())
end

--- Escapes C1 control characters in JSON text: JSON allows them unescaped, and terminals obey them.
local function without_c1(text)
  if not text:find("\194", 1, true) then
    return text
  end
  return (text:gsub("\194([\128-\159])", escape))
end

local function quote(text)
  return '"' .. without_c1(text:gsub('[%z\1-\31\127"\\]', escape)) .. '"'
end

--- The shortest JSON text that reads back as the same number.
local function number_text(number)
  if number ~= number then
    return "null" -- JSON has no NaN
  elseif number == math.huge or number == -math.huge then
    return number > 0 and "1e999" or "-1e999" -- JSON has no infinity; a number this large reads back as one
  end
  return json.number(number)
end

--- An empty table does not tell whether it was a list: the user's JSON text does, by the name before it. The text is
--- scanned once, and the result is kept in `source`.
local function empty_text(key, source)
  if not source then
    return "{}"
  elseif not source.lists then
    source.lists = {}
    for name in core.json(source.user):gmatch '("[^"]*")%s*:%s*%[%s*%]' do
      source.lists[name] = true
    end
  end
  return source.lists[quote(key or "")] and "[]" or "{}"
end

local encode

local function encode_object(object, source)
  local members, parts = {}, {}
  for key, value in pairs(object) do
    members[#members + 1] = { name = tostring(key), value = value }
  end
  table.sort(members, function(a, b)
    return a.name < b.name
  end)
  for i, one in ipairs(members) do
    parts[i] = quote(one.name) .. ":" .. encode(one.value, one.name, source)
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

function encode(value, key, source)
  local kind = type(value)
  if value == nil or value == null then
    return "null"
  elseif kind == "string" then
    return quote(value)
  elseif kind == "number" then
    return number_text(value)
  elseif kind == "boolean" then
    return tostring(value)
  elseif kind == "userdata" then
    return without_c1(core.json(value):gsub("[\r\n\t]", " ")) -- outside of strings: in them they are escaped
  elseif kind ~= "table" then
    error(("ndjson: expected a string, number, boolean, table or user%s, got a %s"):format(
      key and " at " .. key or "", kind), 0)
  elseif next(value) == nil then
    return empty_text(key, source)
  elseif not tables.is_list(value) then
    return encode_object(value, source)
  end
  local parts = {}
  for i, element in ipairs(value) do
    parts[i] = encode(element, key, source)
  end
  return "[" .. table.concat(parts, ",") .. "]"
end

--- The JSON text of a value in one line: a string, number, boolean, rollcall.null, a user, or a table of them (whose
--- keys are sorted). Numbers read back as the same.
---@param value any
---@return string
function ndjson.encode(value)
  return encode(value)
end

--- Checks a list of columns and returns copies with `name` and `get`. Raises at `level`.
---@param columns rollcall.Column[]
---@param where string the start of the message
---@param level integer
---@return { name: string, get: fun(user: rollcall.User|table): any }[]
function ndjson.columns(columns, where, level)
  if type(columns) ~= "table" or #columns == 0 then
    error(where .. ": expected a list of fields", level + 1)
  end
  local list = {}
  for i, column in ipairs(columns) do
    local is_name, limit = path.is_name(column)
    if is_name then
      list[i] = { name = column, get = path.compile(column) }
    elseif type(column) == "table" and type(column.name) == "string" and type(column.get) == "function" then
      list[i] = { name = column.name, get = column.get }
    else
      error(("%s: %d: expected a field's name%s, or { name = …, get = … }"):format(where, i, limit), level + 1)
    end
  end
  return list
end

--- A function that makes a line, with its line feed, from a user. Without columns the line is the user's JSON as
--- received; with columns it is an object of these, under their names.
---@param columns rollcall.Column[]?
---@return fun(user: rollcall.User|table): string
function ndjson.new(columns)
  if columns == nil then
    return function(user)
      return encode(user) .. "\n"
    end
  end
  local list = ndjson.columns(columns, "ndjson", 2)
  local names = {}
  for i, column in ipairs(list) do
    names[i] = quote(column.name) .. ":"
  end
  return function(user)
    path.check_user("ndjson", user)
    local parts = {}
    local source -- see empty_text
    for i, column in ipairs(list) do
      local value = column.get(user)
      if type(value) == "table" and not source and type(user) == "userdata" then
        source = { user = user }
      end
      local key = column.name:match "[^./]*$"
      if key == "role_names" and type(value) == "table" and next(value) == nil then
        parts[i] = names[i] .. "[]"
      else
        parts[i] = names[i] .. encode(value, key, source)
      end
    end
    return "{" .. table.concat(parts, ",") .. "}\n"
  end
end

return ndjson
