-- The conformance kit's report: a table of cases with a readable tostring, which a spec can also examine.

---@class rollcall.ConformanceResult
---@field collection string
---@field name string what should hold
---@field status "passed"|"failed"|"unknown"|"unfit" unknown: no documented example shows it; unfit: does not apply to
---  this provider
---@field passed boolean false only for failed ones
---@field message string? what does not hold, or why it was not run

---@class rollcall.ConformanceReport
---@field provider string
---@field passed boolean nothing has failed
---@field cases rollcall.ConformanceResult[]
local Report = {}
Report.__index = Report
Report.__name = "rollcall.conformance"

local report = {}

---@param provider string its name
---@return rollcall.ConformanceReport
function report.new(provider)
  return setmetatable({ provider = provider, passed = true, cases = {} }, Report)
end

function Report:add(collection, name, status, message)
  self.cases[#self.cases + 1] = { collection = collection, name = name, status = status,
    passed = status ~= "failed", message = message }
  self.passed = self.passed and status ~= "failed"
end

--- The first case that failed; nil if none did.
---@return rollcall.ConformanceResult?
function Report:failure()
  for _, case in ipairs(self.cases) do
    if not case.passed then
      return case
    end
  end
end

local MARKS = { passed = "ok", failed = "FAILED", unknown = "?", unfit = "-" }

function Report:__tostring()
  local lines, counts, collection = {}, { passed = 0, failed = 0, unknown = 0, unfit = 0 }, nil
  for _, case in ipairs(self.cases) do
    if case.collection ~= collection then
      collection = case.collection
      lines[#lines + 1] = ("%s: %s"):format(self.provider, collection)
    end
    counts[case.status] = counts[case.status] + 1
    local line = ("  %-6s %s"):format(MARKS[case.status], case.name)
    if case.passed and case.message then
      line = ("%s (%s)"):format(line, case.message)
    elseif case.message then
      line = line .. "\n         " .. case.message:gsub("\n", "\n         ")
    end
    lines[#lines + 1] = line
  end
  lines[#lines + 1] = ("%d passed, %d failed, %d unknown, %d not for it"):format(counts.passed, counts.failed,
    counts.unknown, counts.unfit)
  return table.concat(lines, "\n")
end

--- One busted test for each case: `report:busted(describe, it, pending)`. Without `pending`, unknown cases are left
--- out.
---@param describe fun(name: string, f: function)
---@param it fun(name: string, f: function)
---@param pending (fun(name: string, f: function?))?
function Report:busted(describe, it, pending)
  local collection
  for i, first in ipairs(self.cases) do
    if first.collection ~= collection then
      collection = first.collection
      describe(("%s: %s"):format(self.provider, collection), function()
        for j = i, #self.cases do
          local case = self.cases[j]
          if case.collection ~= first.collection then
            break
          elseif case.status == "unknown" and pending then
            pending(("%s (%s)"):format(case.name, case.message))
          elseif case.status == "passed" or case.status == "failed" then
            it(case.name, function()
              if not case.passed then
                error(case.message, 0)
              end
            end)
          end
        end
      end)
    end
  end
end

return report
