-- Tables for people: columns as wide as their contents. The first rows decide, so that a table of any length needs
-- memory for these only; a wider cell that comes later pushes the rest of its row to the right.

local one_line = require "rollcall.one_line"
local width = require "rollcall.cli.width"

---@class rollcall.cli.Table
---@field header string[]
---@field write fun(line: string)
---@field options rollcall.cli.TableOptions
---@field rows string[][]? those that wait; nil once the widths are decided
---@field widths integer[]? once they are decided
---@field gap string? between columns
local Table = {}
Table.__index = Table

local text_table = {}

local FIRST_ROWS = 500
local GAP, SMALL_GAP = "  ", " "
local SHORT = 10 -- columns up to this width, such as dates, are cut only if nothing else helps
local NARROW, NARROWEST = 8, 4 -- least width of a column that is cut to fit a terminal; and if nothing else helps

---@class rollcall.cli.TableOptions
---@field columns integer? width of the terminal that rows are cut to; nil: nothing is cut
---@field bold boolean? prints the header in bold
---@field widest integer? most columns that one long cell can make its column wide
---@field right table<integer, boolean>? which columns are right-aligned numbers; these are never cut
---@field last table<integer, boolean>? which columns are cut last

---@param header string[]
---@param write fun(line: string)
---@param options rollcall.cli.TableOptions?
---@return rollcall.cli.Table
function text_table.new(header, write, options)
  local titles = {}
  for i, title in ipairs(header) do
    titles[i] = one_line(title)
  end
  return setmetatable({ header = titles, write = write, options = options or {}, rows = {} }, Table)
end

--- Makes the columns fit the terminal: cuts the widest first, in the order of the passes below.
function Table:fit()
  local widths, options = self.widths, self.options
  local right, last = options.right or {}, options.last or {}
  local total = 0
  for _, one in ipairs(widths) do
    total = total + one
  end
  local function room()
    return options.columns - #self.gap * (#widths - 1)
  end
  if total > room() and next(right) then
    self.gap = SMALL_GAP -- before numbers this is enough
  end
  local may_be_cut = {} -- the first pass that may cut each
  for i, one in ipairs(widths) do
    may_be_cut[i] = right[i] and 4 or one <= SHORT and 3 or last[i] and 2 or 1
  end
  for pass = 1, 3 do
    while total > room() do
      local widest
      for i, one in ipairs(widths) do
        if may_be_cut[i] <= pass and one > (widest and widths[widest] or 0) then
          widest = i
        end
      end
      if not widest or widths[widest] <= (pass < 3 and NARROW or NARROWEST) then
        break
      end
      widths[widest], total = widths[widest] - 1, total - 1
    end
  end
end

function Table:line(cells)
  local parts, last = {}, #cells
  local is_cut = self.options.columns ~= nil
  for i, cell in ipairs(cells) do
    local to_right = self.options.right and self.options.right[i]
    cell = is_cut and not to_right and width.cut(cell, self.widths[i]) or cell
    parts[i] = (i < last or to_right) and width.pad(cell, self.widths[i], to_right) or cell
  end
  return table.concat(parts, self.gap):match "^.*[^ ]" or "" -- " +$" takes quadratic time on runs of blanks
end

--- Decides the widths, and writes the rows that wait.
function Table:settle()
  local widest = self.options.widest or math.huge
  self.widths, self.gap = {}, GAP
  for i, cell in ipairs(self.header) do
    self.widths[i] = width.of(cell)
    for _, row in ipairs(self.rows) do
      self.widths[i] = math.max(self.widths[i], math.min(width.of(row[i]), widest))
    end
  end
  if self.options.columns then
    self:fit()
  end
  local header = self:line(self.header)
  self.write((self.options.bold and "\27[1m" .. header .. "\27[0m" or header) .. "\n")
  for _, row in ipairs(self.rows) do
    self:write_row(row)
  end
  self.rows = nil
end

function Table:write_row(cells)
  self.write(self:line(cells) .. "\n")
  for _, line in ipairs(cells.below or {}) do
    line = GAP .. one_line(line)
    self.write((self.options.columns and width.cut(line, self.options.columns) or line) .. "\n")
  end
end

--- Adds a row: a string for each column.
---@param cells string[]
---@param below string[]? lines to write below it
function Table:row(cells, below)
  for i, cell in ipairs(cells) do
    cells[i] = one_line(cell)
  end
  cells.below = below
  if self.rows then
    self.rows[#self.rows + 1] = cells
    if #self.rows >= FIRST_ROWS then
      self:settle()
    end
  else
    self:write_row(cells)
  end
end

--- Has nothing been written yet?
function Table:is_waiting()
  return self.rows ~= nil
end

--- Ends the table.
function Table:finish()
  if self.rows then
    self:settle()
  end
end

return text_table
