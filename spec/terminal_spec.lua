local command = require "spec.support.command"
local core = require "rollcall.core"

local terminal = core.terminal

--- Runs a script on this Lua, with this run's tool: output, complaints, status.
local function run(script, around)
  local path = os.tmpname()
  command.write(path, 'local core = require "rollcall.core"\nlocal terminal = core.terminal\n' .. script)
  local output, errors, status = command.shell((around or "%s"):format(os.getenv "RUN_LUA" .. " " .. path))
  os.remove(path)
  return output, errors, status
end

describe("core.terminal", function()
  it("knows what is no terminal", function()
    local output = run "print(terminal.is_terminal(1), terminal.columns(1))"
    assert.equal("false\tnil\n", output)
    assert.is_false(terminal.is_terminal(99))
    assert.is_nil(terminal.columns(99))
    assert.has_error(function()
      terminal.is_terminal "x"
    end)
  end)

  it("knows a terminal and its columns", function()
    if not command.has_terminals() then
      pending "this machine gives no pseudo terminals"
      return
    end
    local output = run("print(terminal.is_terminal(0), terminal.columns(0))",
      "script -qec 'stty cols 77; %s' /dev/null </dev/null | tr -d '\\r'")
    assert.equal("true\t77\n", output)
  end)

  it("leaves signals alone until it is asked", function()
    assert.is_nil(terminal.caught())
    local _, _, status = run "os.execute('kill -TERM ' .. io.open('/proc/self/stat'):read '*n') core.wait({}, 5)"
    assert.equal(143, status)
  end)

  it("tells a signal once, which ends a wait; the second one kills", function()
    local output, _, status = run [[
      terminal.catch()
      assert(terminal.caught() == nil)
      local pid = io.open('/proc/self/stat'):read '*n'
      for _, name in ipairs { "INT", "TERM", "HUP" } do
        os.execute(('(sleep 0.3; kill -%s %d) &'):format(name, pid))
        local start = core.now()
        core.wait({}, 30)
        assert(core.now() - start < 20)
        print(terminal.caught())
        print(terminal.caught())
      end
      io.stdout:flush()
      os.execute('kill -TERM ' .. pid)
      core.wait({}, 5)
    ]]
    assert.equal("INT\t130\nnil\nTERM\t143\nnil\nHUP\t129\nnil\n", output)
    assert.equal(143, status)
  end)

  it("lets signals kill again, and forgets none that came", function()
    local output, _, status = run [[
      terminal.catch()
      local pid = io.open('/proc/self/stat'):read '*n'
      os.execute('kill -HUP ' .. pid)
      core.wait({}, 0.05)
      terminal.release()
      print(terminal.caught())
      io.stdout:flush()
      os.execute('kill -TERM ' .. pid)
      core.wait({}, 5)
    ]]
    assert.equal("HUP\t129\n", output)
    assert.equal(143, status)
  end)

  it("fills the places of closed descriptors, and leaves the others", function()
    local script = [[
      terminal.occupy()
      for fd = 0, 2 do
        local pipe = io.popen("readlink /proc/" .. io.open("/proc/self/stat"):read "*n" .. "/fd/" .. fd)
        assert(io.open(os.getenv "SAID", "a")):write(fd, " ", pipe:read "*a")
      end
      assert(not io.stdin:read(1) and not (io.stdout:write "x" and io.stdout:flush()))
    ]]
    local said = os.tmpname()
    local _, errors, status = run(script, "SAID=" .. said .. " %s <&- >&-")
    local text = command.read(said)
    os.remove(said)
    assert.equal("", errors)
    assert.equal(0, status)
    assert.truthy(text:find "^0 /dev/null\n1 /dev/null\n2 /[^\n]*\n$", text)
  end)

  it("makes a file beside another one, for its owner alone, under a name of its own", function()
    local directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir " .. directory))
    finally(function()
      os.execute("rm -rf " .. directory)
    end)
    local path = directory .. "/a file"
    local function mode_of(name)
      return (command.shell("stat -c %a '" .. name .. "'"))
    end
    local name = assert(terminal.beside(path, "text\0\n"))
    local other = assert(terminal.beside(path, ""))
    assert.not_equal(name, other)
    assert.equal(path .. ".", name:sub(1, #path + 1))
    assert.equal("text\0\n", command.read(name))
    assert.equal("600\n", mode_of(name))
    for before, after in pairs { ["644"] = "600\n", ["600"] = "600\n", ["400"] = "400\n", ["660"] = "600\n" } do
      command.write(path, "old")
      assert(os.execute(("chmod %s '%s'"):format(before, path)))
      name = assert(terminal.beside(path, "new"))
      assert.equal(after, mode_of(name))
      assert.equal("old", command.read(path))
      os.remove(name)
      os.remove(path)
    end
    local none, problem = terminal.beside(directory .. "/nowhere/file", "")
    assert.is_nil(none)
    assert.equal(directory .. "/nowhere/file: No such file or directory", problem)
    local output = run(("print(terminal.beside('%s/full', ('x'):rep(1e6)))"):format(directory),
      "(trap '' XFSZ; ulimit -f 40; %s)")
    assert.equal(("nil\t%s/full: File too large\n"):format(directory), output)
    assert.equal("2\n", (command.shell("ls " .. directory .. " | wc -l")))
  end)

  it("becomes another program", function()
    local output, _, status = run [[
      print(terminal.replace("/nonexistent/program", "x"))
      io.stdout:flush()
      terminal.replace("/bin/sh", "-c", 'echo "$0|$1"; exit 7', "a b", "c'd")
    ]]
    assert.equal("nil\tNo such file or directory\na b|c'd\n", output)
    assert.equal(7, status)
    assert.has_error(function()
      terminal.replace()
    end)
  end)

  it("ends by Ctrl-C without a traceback of the interpreter's", function()
    local _, errors, status = run [[
      terminal.default()
      os.execute('(sleep 0.3; kill -INT ' .. io.open('/proc/self/stat'):read '*n' .. ') &')
      core.wait({}, 30)
      for _ = 1, 1e8 do end
    ]]
    assert.equal("", errors)
    assert.equal(130, status)
  end)

  it("keeps what is ignored ignored", function()
    local output, _, status = run([[
      terminal.catch()
      os.execute('kill -HUP ' .. io.open('/proc/self/stat'):read '*n')
      core.wait({}, 0.05)
      print(terminal.caught())
    ]], "sh -c 'trap \"\" HUP; exec %s'")
    assert.equal("nil\n", output)
    assert.equal(0, status)
  end)

  it("lets a write to a closed pipe fail", function()
    local _, errors, status = run([[
      terminal.fail_writes()
      io.stdout:setvbuf "no"
      local good, problem, code
      for _ = 1, 1000 do
        good, problem, code = io.stdout:write(("x"):rep(1000))
        if not good then break end
        core.wait({}, 0.005)
      end
      io.stderr:write(tostring(good), " ", problem, " ", code, "\n")
    ]], "%s | true")
    assert.equal("nil Broken pipe 32\n", errors)
    assert.equal(0, status)
  end)

  it("lets a write beyond the largest size of files fail", function()
    local name = os.tmpname()
    finally(function()
      os.remove(name)
    end)
    local _, errors, status = run(([[
      terminal.fail_writes()
      local file = io.open(%q, "w")
      file:setvbuf "no"
      local good, problem, code
      for _ = 1, 1000 do
        good, problem, code = file:write(("x"):rep(1024))
        if not good then break end
      end
      io.stderr:write(tostring(good), " ", problem:match "[^:]*$", " ", code, "\n")
    ]]):format(name), "sh -c 'ulimit -f 64; exec %s'")
    assert.equal("nil File too large 27\n", errors)
    assert.equal(0, status)
  end)
end)
