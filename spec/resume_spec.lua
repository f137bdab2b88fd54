-- The file of `rollcall users --resume`: which output it is of.

local check = require "spec.support.check"
local command = require "spec.support.command"
local sandbox = require "spec.support.sandbox"

local run = command.run
local directory, saved

setup(function()
  directory = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. directory))
  saved = directory .. "/saved"
end)
teardown(function()
  os.execute("rm -rf " .. directory)
  sandbox.restore()
end)
before_each(function()
  sandbox.reset()
  os.remove(saved)
end)

--- `rollcall users tesouro --resume FILE` with more arguments.
local function users(more)
  local arguments = { "users", "tesouro", "--resume", saved }
  for _, argument in ipairs(more) do
    arguments[#arguments + 1] = argument
  end
  return run(arguments)
end

describe("--resume", function()
  it("refuses to mix two outputs in one", function()
    local begun = { "--format", "csv", "--fields", "id,email", "--where", "status=ACTIVE", "--where", "name~a" }
    begun[9], begun[10] = "--limit", "3"
    local first = users(begun)
    assert.equal(4, #command.lines(first))
    local position = command.read(saved)
    for _, case in ipairs {
      { { "--format", "ndjson", "--fields", "id,email", "--where", "status=ACTIVE", "--where", "name~a" },
        "with --format csv, and this would be one with --format ndjson" },
      { { "--format", "csv", "--fields", "id", "--where", "status=ACTIVE", "--where", "name~a" },
        "with --fields id,email, and this would be one with --fields id;" },
      { { "--format", "csv", "--where", "status=ACTIVE", "--where", "name~a" },
        "with --fields id,email, and this would be one with no --fields" },
      { { "--format", "csv", "--fields", "id,email", "--where", "status=ACTIVE" },
        "with --where name~a --where status=ACTIVE, and this would be one with --where status=ACTIVE;" },
      { { "--format", "csv", "--fields", "id,email" }, "and this would be one with no --where" },
      { { "--format", "csv", "--fields", "id,email", "--where", "status=ACTIVE", "--where", "name~a", "--formulas" },
        "with no --formulas, and this would be one with --formulas;" },
    } do
      local output, errors, status = users(case[1])
      assert.equal("", output)
      assert.equal(2, status)
      check.contains(errors, saved .. " is of an output with ", case[2], "give the same options")
    end
    assert.equal(position, command.read(saved))
    -- The same in other words goes on.
    local second = users { "--format", "csv", "--fields", "id, email", "--where", "name~a", "--where", "status=ACTIVE",
      "--limit", "2" }
    begun[10] = "5"
    os.remove(saved)
    assert.equal((users(begun)), first .. second)
  end)

  it("goes on behind a table in another format, with its own header", function()
    sandbox.reset "delay_ms=100"
    local errors = directory .. "/errors"
    local process = assert(io.popen(("sh -c 'echo $$; exec %s' 2>%s"):format(
      command.line({ "users", "tesouro", "--page-size", "10" }):gsub("'", "'\\''"), errors)))
    local pid = assert(tonumber(process:read "*l"))
    command.await(function() -- until two pages have come
      return sandbox.stats().tesouro.user_requests > 2
    end)
    os.execute("kill -INT " .. pid)
    local listed = #command.lines(process:read "*a") - 1
    process:close()
    check.contains(command.read(errors), "add --format ndjson --resume FILE to the command")
    command.write(saved, assert(command.read(errors):match "\n({[^\n]*})\n$") .. "\n")
    sandbox.reset()
    local _, wrong, status = users { "--format", "csv", "--page-size", "10", "--where", "status=ACTIVE" }
    assert.equal(2, status)
    check.contains(wrong, "with no --where")
    local rest = users { "--format", "csv", "--fields", "id", "--page-size", "10" }
    assert.equal("id\r", command.lines(rest)[1])
    local all = #sandbox.data.tesouro.users { status = "ALL" }
    assert.is_true(listed > 0 and listed < all)
    assert.equal(all - listed, #command.lines(rest) - 1)
  end)

  it("finds out before it asks for anything that the file cannot be written", function()
    for _, place in ipairs { "/nonexistent/saved", "/dev/null/saved", "/proc/saved" } do
      local output, errors, status = run { "users", "tesouro", "--format", "csv", "--resume", place }
      assert.equal("", output)
      assert.is_true(status == 3 or status == 2)
      check.contains(errors, place)
    end
    assert.equal(0, #sandbox.log())
    assert.is_nil(command.shell("ls " .. directory):find "saved")
  end)

  it("touches no other file, and shows its own to nobody else", function()
    local mine, target = saved .. ".new", directory .. "/mine"
    local function try()
      local _, errors, status = users { "--format", "csv", "--limit", "3" }
      assert.equal("", errors)
      assert.equal(0, status)
      assert.equal("-rw-------", command.shell("ls -l " .. saved):sub(1, 10))
      assert.equal("mine\nsaved\nsaved.new\n", (command.shell("cd " .. directory .. "; ls mine saved*")))
      assert.equal("mine\n", command.read(mine))
    end
    finally(function()
      os.remove(mine)
      os.remove(target)
    end)
    command.write(target, "mine\n")
    command.write(mine, "mine\n")
    try()
    os.execute("chmod 644 " .. saved)
    try()
    os.remove(mine)
    assert(os.execute(("ln -s mine %s"):format(mine)))
    try()
  end)

  it("writes to the file that a symbolic link leads to", function()
    local target = directory .. "/a target"
    assert(os.execute(("ln -s 'a target' %s"):format(saved)))
    for _ = 1, 2 do -- it is made, and gone on from
      local _, errors, status = users { "--format", "csv", "--limit", "3" }
      assert.equal("", errors)
      assert.equal(0, status)
      assert.equal(target .. "\n", (command.shell("test -L " .. saved .. " && readlink -f " .. saved)))
      check.contains(command.read(target), '"rollcall":')
    end
    os.remove(target)
  end)

  it("writes the header of CSV before it writes where the walk stands", function()
    sandbox.reset "delay_ms=300"
    local arguments = { "users", "tesouro", "--format", "csv", "--fields", "id", "--where", "id=nobody", "--page-size",
      "10", "--resume", saved }
    local process = assert(io.popen("echo $$; exec " .. command.line(arguments)))
    local pid = assert(tonumber(process:read "*l"))
    command.await(function()
      return command.read(saved)
    end)
    os.execute("kill -KILL " .. pid)
    local first = process:read "*a"
    process:close()
    sandbox.reset()
    local second, _, status = run(arguments)
    assert.equal(1, status)
    assert.equal("id\r\n", first .. second)
  end)

  it("refuses what no run of it has written", function()
    command.write(saved, '{"rollcall":1,"parts":{"tesouro":"{}"}}\n')
    local _, errors, status = users { "--format", "csv" }
    assert.equal(2, status)
    check.contains(errors, "it does not say of which output it is", "remove it to begin anew")
  end)

  --- Each user of Tesouro stands once in a file of ids.
  local function check_once(output)
    local seen, count = {}, 0
    for each in io.lines(output) do
      assert.is_nil(seen[each], each)
      seen[each], count = true, count + 1
    end
    assert.equal(#sandbox.data.tesouro.users { status = "ALL" }, count)
  end

  it("cuts off what its file does not know of, where that cannot be written any more", function()
    local folder = directory .. "/folder"
    local file = folder .. "/saved"
    local gone = { "mv folder gone", "mv gone folder" }
    local replaced = { "mv folder/saved known; mkdir folder/saved", "rmdir folder/saved; mv known folder/saved" }
    assert(os.execute("mkdir " .. folder))
    for i, way in ipairs { gone, replaced } do
      sandbox.reset "delay_ms=100"
      local output, errors = directory .. "/cut" .. i, directory .. "/errors"
      local line = command.line { "users", "tesouro", "--format", "ndjson", "--fields", "id", "--resume", file }
      local process = assert(io.popen(("{ %s >>%s; } 2>%s; echo $?"):format(line, output, errors)))
      local first
      command.await(function() -- until it was written twice
        first = first or command.read(file)
        return first and command.read(file) ~= first
      end)
      assert.equal(0, select(3, command.shell(("cd %s && { %s; }"):format(directory, way[1]))))
      assert.equal("3\n", process:read "*a")
      process:close()
      assert.equal(0, select(3, command.shell(("cd %s && { %s; }"):format(directory, way[2]))))
      assert.equal("saved\n", (command.shell("ls -A " .. folder)))
      assert.equal(1, command.read(errors):find("rollcall: cannot write the checkpoint", 1, true))
      assert.truthy(#command.read(output) > 0)
      sandbox.reset()
      assert.equal(0, select(3, command.shell(line .. " >>" .. output)))
      check_once(output)
      os.remove(file)
    end
  end)

  it("is not far behind where users are plentiful", function()
    -- All is there at once, and nothing is waited for: between users the clock must be looked at.
    sandbox.reset "delay_ms=20"
    local output = directory .. "/far"
    local line = command.line { "users", "tesouro", "--format", "ndjson", "--fields", "id", "--resume", saved }
    local pid = assert(tonumber((command.shell(("%s >%s & echo $!"):format(line, output)))))
    local last, changes = nil, 0
    for _ = 1, 100 do
      local now = command.read(saved)
      if now ~= last then
        last, changes = now, changes + 1
      end
      os.execute "sleep 0.02"
    end
    os.execute(("kill %d 2>/dev/null"):format(pid))
    assert.truthy(changes >= 2, changes)
  end)

  it("cuts off what its file does not know of, where the output cannot be written", function()
    local output = directory .. "/output"
    local line = command.line { "users", "tesouro", "--format", "ndjson", "--fields", "id", "--resume", saved }
    local _, errors, status = command.shell(("(trap '' XFSZ; ulimit -f 40; %s >>%s)"):format(line, output))
    assert.equal(3, status)
    check.contains(errors, "cannot write the output")
    assert.equal("", command.read(output):match "[^\n]*$")
    _, errors, status = command.shell(line .. " >>" .. output)
    assert.equal("", errors)
    assert.equal(0, status)
    check_once(output)
  end)

  it("leaves what stood in the file before, where not even the first lines can be written", function()
    local output, before = directory .. "/full", ("x"):rep(40 * 512 - 101) .. "\n"
    command.write(output, before)
    local line = command.line { "users", "tesouro", "--format", "ndjson" }
    local _, errors, status = command.shell(("(trap '' XFSZ; ulimit -f 40; %s >>%s)"):format(line, output))
    assert.equal(3, status)
    check.contains(errors, "cannot write the output")
    assert.is_true(command.read(output) == before)
  end)

  it("is not needed for whole lines where the output cannot be written, and for others' behind them", function()
    local output = directory .. "/whole"
    local line = command.line { "users", "tesouro", "--format", "ndjson", "--fields", "id" }
    local _, errors, status = command.shell(("(exec >%s; trap '' XFSZ; ulimit -S -f 100; %s; ulimit -S -f unlimited; "
      .. "echo done)"):format(output, line))
    assert.equal(0, status)
    check.contains(errors, "cannot write the output")
    local text = command.read(output)
    assert.truthy(#text > 5000 and text:find('"}\ndone\n$'), text:sub(-200))
    assert.is_nil(text:find("%z"))
  end)
end)
