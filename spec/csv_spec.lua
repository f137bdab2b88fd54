local check = require "spec.support.check"
local csv = require "rollcall.csv"
local documents = require "spec.support.documents"
local rollcall = require "rollcall"

describe("rollcall.csv", function()
  it("writes lines of RFC 4180", function()
    local writer = rollcall.csv { "id", "department.name", "odd,name" }
    assert.equal('id,department.name,"odd,name"\r\n', writer:header())
    assert.equal('7,"R&D, ""x""",\r\n', writer:row { id = 7, department = { name = 'R&D, "x"' } })
    assert.equal(',"a\nb","c\rd"\r\n', writer:row { department = { name = "a\nb" }, ["odd,name"] = "c\rd" })
  end)

  it("writes lists of scalars with commas, other tables as JSON", function()
    for text, value in pairs {
      ["A, B"] = { "A", "B" }, [""] = {}, ['{"a":1}'] = { a = 1 }, ['[{"a":1}]'] = { { a = 1 } },
      ["1, true"] = { 1, true }, ["false"] = false, ["1.5"] = 1.5 } do
      assert.equal(text, csv.text(value))
    end
  end)

  it("keeps texts from being run by a spreadsheet, and numbers as they are", function()
    local writer, plain = rollcall.csv { "a", "b" }, rollcall.csv({ "a", "b" }, { formulas = true })
    for _, text in ipairs { "=1+1", "+4722", "-x", "@SUM(A1)", "＝1", "＋1", "－1", "＠SUM" } do
      assert.equal("'" .. text .. ",-5\r\n", writer:row { a = text, b = -5 })
      assert.equal(text .. ",-5\r\n", plain:row { a = text, b = -5 })
    end
    assert.equal('"\'\rx",\r\n', writer:row { a = "\rx" })
    assert.equal('"\'\tx",\r\n', writer:row { a = "\tx" })
    assert.equal("（1,\r\n", writer:row { a = "（1" })
    assert.equal('"\'=HYPERLINK(""x"")",\r\n', writer:row { a = '=HYPERLINK("x")' })
    assert.equal("a=b,\r\n", writer:row { a = "a=b" })
    assert.equal("'=A,\r\n", writer:row { a = { "=A" } })
  end)

  it("quotes what some spreadsheets split at, too", function()
    local writer = rollcall.csv { "a", "b;c" }
    assert.equal('a,"b;c"\r\n', writer:header())
    assert.equal('"x;y","x\ty"\r\n', writer:row { a = "x;y", ["b;c"] = "x\ty" })
  end)

  it("begins with a byte order mark where it should, and quotes a line of one empty cell", function()
    assert.equal("\239\187\191a\r\n", rollcall.csv({ "a" }, { bom = true }):header())
    assert.equal('""\r\n', rollcall.csv({ "a" }):row {})
  end)

  it("raises for options that are none", function()
    for _, options in ipairs { { boom = true }, { bom = 1 }, 5 } do
      check.misuse(function()
        return (rollcall.csv({ "a" }, options))
      end, "csv: ")
    end
  end)

  it("is read back by Python's csv as the data", function()
    local generator = documents.new(11)
    local parts = { "a", ",", '"', "\n", "\r\n", "\r", " ", "=", "'", "é", "日本", "😀", "\t", ";" }
    local rows = {}
    for i = 1, 300 do
      local row = {}
      for _, name in ipairs { "x", "y", "z" } do
        local text = ""
        for _ = 1, generator:int(6) - 1 do
          text = text .. generator:pick(parts)
        end
        row[name] = text
      end
      rows[i] = row
    end
    local writer = rollcall.csv({ "x", "y", "z" }, { formulas = true })
    local line = rollcall.ndjson { "x", "y", "z" }
    local base = os.tmpname()
    local data, expected = assert(io.open(base .. ".csv", "wb")), assert(io.open(base .. ".json", "wb"))
    data:write(writer:header())
    for _, row in ipairs(rows) do
      data:write(writer:row(row))
      expected:write(line(row))
    end
    data:close()
    expected:close()
    local script = assert(io.open(base, "w"))
    script:write [[
import csv, json, sys
rows = list(csv.DictReader(open(sys.argv[1] + ".csv", newline="", encoding="utf-8")))
expected = [json.loads(line) for line in open(sys.argv[1] + ".json", encoding="utf-8").read().split("\n") if line]
print(len(rows), rows == expected)
]]
    script:close()
    local python = assert(io.popen(("LD_PRELOAD= python3 %s %s 2>&1"):format(base, base)))
    local said = python:read "*a"
    python:close()
    for _, suffix in ipairs { "", ".csv", ".json" } do
      os.remove(base .. suffix)
    end
    assert.equal("300 True\n", said)
  end)
end)
