-- Tables for people: columns as wide as what is in them. The first rows decide, so that a table of any
-- length goes by in the memory of these; a wider cell that comes later pushes its row to the right.

local width = require "rollcall.cli.width"

---@class rollcall.cli.Table
local Table = {}
Table.__index = Table

local tables = {}

local FIRST_ROWS = 500
local GAP = "  "
local NARROWEST = 4 -- of a column that is cut to fit a terminal

---@class rollcall.cli.TableOptions
---@field columns integer? of the terminal that rows are cut for; nil cuts nothing
---@field bold boolean? the header
---@field widest integer? that one long cell can make its column
---@field right table<integer, boolean>? which columns are numbers

---@param header string[]
---@param write fun(line: string)
---@param options rollcall.cli.TableOptions?
---@return rollcall.cli.Table
function tables.new(header, write, options)
  return setmetatable({ header = header, write = write, options = options or {}, rows = {} }, Table)
end

--- A text as a cell: one line, nothing that a terminal would obey or that turns the line around.
---@param text string
---@return string
function tables.cell(text)
  if not text:find "[%c\194\226]" then
    return text
  end
  text = text:gsub("\194[\128-\159]", " "):gsub("%c", " ")
  -- The marks, embeddings and isolates of writing from right to left: U+200E/F, 202A to E, 2066 to 9.
  return (text:gsub("\226\128[\142\143\170-\174]", ""):gsub("\226\129[\166-\169]", ""))
end

--- Makes the columns fit, the widest first.
local function fit(widths, columns)
  local total = #GAP * (#widths - 1)
  for _, one in ipairs(widths) do
    total = total + one
  end
  while total > columns do
    local widest = 1
    for i, one in ipairs(widths) do
      widest = one > widths[widest] and i or widest
    end
    if widths[widest] <= NARROWEST then
      return
    end
    widths[widest], total = widths[widest] - 1, total - 1
  end
end

function Table:line(cells)
  local parts, last = {}, #cells
  local is_cut = self.options.columns ~= nil
  for i, cell in ipairs(cells) do
    cell = is_cut and width.cut(cell, self.widths[i]) or cell
    local to_right = self.options.right and self.options.right[i]
    parts[i] = (i < last or to_right) and width.pad(cell, self.widths[i], to_right) or cell
  end
  return (table.concat(parts, GAP):gsub(" +$", ""))
end

--- The rows that wait, once their widths are decided.
function Table:settle()
  local widest = self.options.widest or math.huge
  self.widths = {}
  for i, cell in ipairs(self.header) do
    self.widths[i] = width.of(cell)
    for _, row in ipairs(self.rows) do
      self.widths[i] = math.max(self.widths[i], math.min(width.of(row[i]), widest))
    end
  end
  if self.options.columns then
    fit(self.widths, self.options.columns)
  end
  local header = self:line(self.header)
  self.write((self.options.bold and "\27[1m" .. header .. "\27[0m" or header) .. "\n")
  for _, row in ipairs(self.rows) do
    self.write(self:line(row) .. "\n")
  end
  self.rows = nil
end

--- A row: a text for each column.
---@param cells string[]
function Table:row(cells)
  for i, cell in ipairs(cells) do
    cells[i] = tables.cell(cell)
  end
  if self.rows then
    self.rows[#self.rows + 1] = cells
    if #self.rows >= FIRST_ROWS then
      self:settle()
    end
  else
    self.write(self:line(cells) .. "\n")
  end
end

--- Whether it has not begun to be written.
function Table:is_waiting()
  return self.rows ~= nil
end

--- The table is complete.
function Table:finish()
  if self.rows then
    self:settle()
  end
end

return tables
