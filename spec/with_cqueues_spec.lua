-- examples/with_cqueues.lua: another loop than those that come with rollcall.

local sandbox = require "spec.support.sandbox"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"

setup(function()
  sandbox.reset "delay_ms=3"
end)
teardown(sandbox.restore)

describe("examples/with_cqueues.lua", function()
  it("walks side by side with what else the loop does", function()
    local process = assert(io.popen(("timeout 30 %s examples/with_cqueues.lua 2>&1; echo status $?"):format(LUA)))
    local text = process:read "*a"
    process:close()
    local lines = {}
    for line in text:gmatch "[^\n]+" do
      lines[#lines + 1] = line
    end
    table.sort(lines)
    assert.same({
      ("active in tesouro: %d users, and the clock ticked"):format(#sandbox.data.tesouro.users {}),
      ("dintero: %d users, and the clock ticked"):format(
        #sandbox.data.dintero.users "T12345678" + #sandbox.data.dintero.users "P87654321"),
      "status 0",
      ("tesouro: %d users, and the clock ticked"):format(#sandbox.data.tesouro.users { status = "ALL" }),
    }, lines, text)
  end)

  it("does not spend the time that it waits", function()
    sandbox.configure "delay_ms=100"
    local timed = [[bash -c 'TIMEFORMAT="%%U %%S %%R"; time timeout 60 %s examples/with_cqueues.lua' 2>&1]]
    local process = assert(io.popen(timed:format(LUA)))
    local text = process:read "*a"
    process:close()
    local user, system, real = text:match "(%d+%.%d+) (%d+%.%d+) (%d+%.%d+)"
    assert.truthy(tonumber(real) > 1, text)
    assert.truthy(tonumber(user) + tonumber(system) < tonumber(real) / 2, text)
  end)
end)
