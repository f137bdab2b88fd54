local tables = require "rollcall.cli.table"
local width = require "rollcall.cli.width"

describe("the width of a text", function()
  it("is that of its characters in a terminal", function()
    for text, columns in pairs {
      [""] = 0, abc = 3, ["é"] = 1, ["e\204\129"] = 1, ["日本語"] = 6, ["서연"] = 4, ["ｱ"] = 1, ["Ａ"] = 2,
      ["😀"] = 2, ["🚲 Bike"] = 7, ["สมชาย ใจดี"] = 9, ["עברית"] = 5, ["a\226\128\139b"] = 2, ["𠮷"] = 2, ["…→"] = 2,
    } do
      assert.equal(columns, width.of(text), text)
    end
  end)

  it("agrees with Python's tables of Unicode on every character that those of version 14 have", function()
    local path = os.tmpname()
    local file = assert(io.open(path, "w"))
    file:write [[
import unicodedata as u
for code in range(0xA0, 0x40000):
    kind = u.category(chr(code))
    if kind in ("Cn", "Cs", "Co"):
        continue
    none = kind in ("Mn", "Me") or kind == "Cf" and code != 0xAD or 0x1160 <= code <= 0x11FF
    print(0 if none else 2 if u.east_asian_width(chr(code)) in "WF" else 1, chr(code))
]]
    file:close()
    local python = assert(io.popen("PYTHONIOENCODING=utf-8 LD_PRELOAD= python3 " .. path))
    local count, wrong = 0, {}
    for line in python:lines() do
      local columns, character = line:match "^(%d) (.+)$"
      if columns then -- two characters end a line
        count = count + 1
        if tonumber(columns) ~= width.of(character) then
          wrong[#wrong + 1] = character
        end
      end
    end
    python:close()
    os.remove(path)
    assert.is_true(count > 100000, count)
    -- A Python with younger tables knows characters that stood for nothing, and a few that have changed.
    assert.is_true(#wrong < count / 1000, #wrong .. ": " .. table.concat(wrong, " ", 1, math.min(#wrong, 20)))
  end)

  it("is what a text is cut and filled to", function()
    assert.equal("abc", width.cut("abc", 3))
    assert.equal("ab…", width.cut("abcd", 3))
    assert.equal("日…", width.cut("日本語", 4))
    assert.equal("日…", width.cut("日本語", 3))
    assert.equal("e\204\129…", width.cut("e\204\129xyz", 2))
    assert.equal("日本  ", width.pad("日本", 6))
    assert.equal("  7", width.pad("7", 3, true))
    assert.equal("long", width.pad("long", 2))
  end)
end)

describe("a table", function()
  local function lines_of(header, rows, options)
    local lines = {}
    local one = tables.new(header, function(line)
      lines[#lines + 1] = line
    end, options)
    for _, row in ipairs(rows) do
      one:row(row)
    end
    one:finish()
    return lines
  end

  it("has columns as wide as what is in them", function()
    assert.same({ "A      N  B\n", "日本   1  x\n", "é     22  y\n" },
      lines_of({ "A", "N", "B" }, { { "日本", "1", "x" }, { "é", "22", "y" } }, { right = { [2] = true } }))
  end)

  it("is cut to fit: numbers never, who it is about and what is short last", function()
    local header, row = { "NAME", "EMAIL", "DAY" }, { ("n"):rep(20), ("e"):rep(20), "2026-01-01" }
    local function cut(columns)
      return lines_of(header, { { row[1], row[2], row[3] } }, { columns = columns, last = { [2] = true } })[2]
    end
    assert.equal(table.concat(row, "  ") .. "\n", cut(54))
    assert.equal(("%s…  %s  2026-01-01\n"):format(("n"):rep(7), ("e"):rep(20)), cut(42))
    assert.equal(("%s…  %s…  2026-01-01\n"):format(("n"):rep(7), ("e"):rep(11)), cut(34))
    assert.equal("nnnnn…  eeeee…  2026-…\n", cut(22))
    local numbers = { right = { [2] = true, [3] = true }, columns = 24 }
    assert.same({ "SOURCE  NEVER CAME  USERS\n", "a        1,234,567      1\n" },
      lines_of({ "SOURCE", "NEVER CAME", "USERS" }, { { "a", "1,234,567", "1" } }, { right = numbers.right,
        columns = 26 }))
    assert.same({ "SOURCE NEVER CAME USERS\n", "a       1,234,567     1\n" },
      lines_of({ "SOURCE", "NEVER CAME", "USERS" }, { { "a", "1,234,567", "1" } }, numbers))
    numbers.columns = 20
    assert.equal("abc…  1,234,567     1\n", lines_of({ "SRC", "NEVER CAME", "USERS" },
      { { "abcdefghijkl", "1,234,567", "1" } }, numbers)[2])
  end)

  it("has no blanks at the ends of its lines, and takes its time in no run of them", function()
    assert.same({ "A\n", "\n", "x" .. (" "):rep(3) .. "y\n" }, lines_of({ "A" }, { { "  " }, { "x   y  " } }))
    local start = os.clock()
    lines_of({ "A" }, { { "x" .. (" "):rep(2 ^ 16) .. "y" } })
    assert.is_true(os.clock() - start < 2)
  end)

  it("has lines of their own behind a row", function()
    local lines = {}
    local one = tables.new({ "A", "B" }, function(line)
      lines[#lines + 1] = line
    end, { columns = 10 })
    one:row({ "x", "y" }, { "what\27 has changed" })
    one:finish()
    assert.same({ "A  B\n", "x  y\n", "  what  h…\n" }, lines)
  end)

  it("shows nothing that a terminal would obey, in its header neither", function()
    assert.same({ " [2JA  B\n", "x y    z\n" }, lines_of({ "\27[2JA", "B" }, { { "x\27y", "z" } }))
  end)

  it("fits a terminal, the widest columns cut first", function()
    local lines = lines_of({ "ID", "NAME" }, { { "1234", ("x"):rep(100) }, { "5", "日本語日本語日本語" } }, { columns = 20 })
    for _, line in ipairs(lines) do
      assert.is_true(width.of(line:sub(1, -2)) <= 20, line)
    end
    assert.equal("1234  xxxxxxxxxxxxx…\n", lines[2])
  end)

  it("lets the first rows decide, and cuts nothing that comes later", function()
    local rows = {}
    for i = 1, 600 do
      rows[i] = { "a", "b" }
    end
    rows[550] = { "a longer one", "b" }
    local lines = lines_of({ "X", "Y" }, rows)
    assert.equal(601, #lines)
    assert.equal("a  b\n", lines[2])
    assert.equal("a longer one  b\n", lines[551])
  end)
end)
