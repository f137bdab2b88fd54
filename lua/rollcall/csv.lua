-- Users as CSV (RFC 4180): lines end with CR LF; fields are quoted if they must be, or if they contain a semicolon or a
-- tab, at which spreadsheets of some countries split.
--
-- A string that a spreadsheet would take for a formula (it begins with = + - @, also full-width ones, a tab or a line
-- break) gets a ' before it, which spreadsheets do not show: what a stranger wrote into a name must not be run.
-- `formulas = true` leaves it out, for programs that want the exact data.

local ndjson = require "rollcall.ndjson"
local path = require "rollcall.path"

---@class rollcall.CsvOptions
---@field formulas boolean? leave strings as they are, although a spreadsheet may take them for formulas
---@field bom boolean? begin with a byte order mark, by which Excel recognizes UTF-8

---@class rollcall.Csv
---@field header fun(self: rollcall.Csv): string the line of names
---@field row fun(self: rollcall.Csv, user: rollcall.User|table): string
local Csv = {}
Csv.__index = Csv
Csv.__name = "rollcall.csv"

local csv = {}

--- A value as the text of a cell: for a list of scalars its elements with commas between, for any other table its JSON,
--- for nil "".
---@param value any
---@return string
function csv.text(value)
  if value == nil then
    return ""
  elseif type(value) ~= "table" then
    return type(value) == "string" and value or ndjson.encode(value)
  end
  local parts = {}
  for i, element in ipairs(value) do
    if type(element) == "table" then
      return ndjson.encode(value)
    end
    parts[i] = csv.text(element)
  end
  return (#parts > 0 or next(value) == nil) and table.concat(parts, ", ") or ndjson.encode(value)
end

--- Would a spreadsheet take it for a formula? Some treat full-width characters like their ASCII counterparts.
local function is_formula(text)
  return text:find "^[=+%-@\t\r\n]" ~= nil or text:find "^\239\188[\157\139\141\160]" ~= nil -- ＝ ＋ － ＠
end

--- A value as a cell, prefixed and quoted if necessary.
---@private
function Csv:cell(value)
  local text = csv.text(value)
  if not self.formulas and type(value) ~= "number" and is_formula(text) then
    text = "'" .. text
  end
  if text:find '[",;\t\r\n]' then
    return '"' .. text:gsub('"', '""') .. '"'
  end
  return text
end

local function line(self, get)
  local cells = {}
  for i, column in ipairs(self.columns) do
    cells[i] = self:cell(get(column))
  end
  -- A line with a single empty cell would be an empty line, which many readers skip.
  return (#cells == 1 and cells[1] == "" and '""' or table.concat(cells, ",")) .. "\r\n"
end

function Csv:header()
  return (self.bom and "\239\187\191" or "") .. line(self, function(column)
    return column.name
  end)
end

function Csv:row(user)
  path.check_user("csv", user)
  return line(self, function(column)
    return column.get(user)
  end)
end

--- A writer of CSV with these columns.
---@param columns rollcall.Column[]
---@param options rollcall.CsvOptions?
---@return rollcall.Csv
function csv.new(columns, options)
  options = options or {}
  if type(options) ~= "table" then
    error("csv: expected a table of options", 2)
  end
  for name, value in pairs(options) do
    if name ~= "formulas" and name ~= "bom" then
      error(("csv: %s: unknown; it takes bom, formulas"):format(tostring(name)), 2)
    elseif type(value) ~= "boolean" then
      error(("csv: %s: expected a boolean, got a %s"):format(name, type(value)), 2)
    end
  end
  return setmetatable({
    columns = ndjson.columns(columns, "csv", 2),
    formulas = options.formulas or false,
    bom = options.bom or false,
  }, Csv)
end

return csv
