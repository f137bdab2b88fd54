-- What the command does where stdin, stdout or stderr is not as it should be.

local check = require "spec.support.check"
local command = require "spec.support.command"
local output_maker = require "rollcall.cli.output"
local sandbox = require "spec.support.sandbox"

teardown(function()
  sandbox.restore()
end)
before_each(function()
  sandbox.reset()
end)

describe("help and the like", function()
  local lines = { { "--help" }, { "users", "--help" }, { "--version" }, { "completion", "bash" } }

  it("say so where they cannot be written", function()
    for _, arguments in ipairs(lines) do
      local _, errors, status = command.shell(command.line(arguments) .. " >/dev/full")
      assert.equal(3, status)
      assert.equal("rollcall: cannot write the output: No space left on device\n", errors)
      errors, status = select(2, command.shell(command.line(arguments) .. " >&-"))
      assert.equal(3, status)
      assert.equal("rollcall: cannot write the output: stdout is closed\n", errors)
    end
  end)

  it("end quietly where nobody reads", function()
    for _, arguments in ipairs(lines) do
      local _, errors = command.shell(("{ sleep 0.5; %s; echo $? >&2; } | true"):format(command.line(arguments)))
      assert.equal("0\n", errors)
    end
  end)
end)

describe("what is written", function()
  it("is handed over whenever there is much of it", function()
    local name = os.tmpname()
    local file = assert(io.open(name, "wb"))
    local output, line = output_maker.new(file), ("x"):rep(16383) .. "\n"
    output:write(line)
    assert.equal("", command.read(name))
    output:write(line)
    assert.equal(line .. line, command.read(name))
    file:close()
    os.remove(name)
  end)
end)

describe("a closed descriptor", function()
  if os.getenv("RUN_LUA"):find "valgrind" then
    return -- which needs them itself
  end

  local arguments = { "users", "tesouro", "--format", "ndjson", "--fields", "id", "--limit", "3", "--verbose" }

  it("that is stdout fails what has something to write", function()
    local output, errors, status = command.shell(command.line(arguments) .. " >&-")
    assert.equal("", output)
    assert.equal(3, status)
    check.contains(errors, "\nrollcall: cannot write the output: stdout is closed\n")
    status = select(3, command.shell(command.line { "users", "--where", "email=nobody@nowhere.example" } .. " >&-"))
    assert.equal(1, status)
  end)

  it("that is stderr or stdin takes nothing from the output", function()
    local whole = command.run(arguments)
    assert.equal(3, #command.lines(whole))
    for _, closed in ipairs { "2>&-", "<&-", "<&- 2>&-" } do
      local output, _, status = command.shell(command.line(arguments) .. " " .. closed)
      assert.equal(whole, output)
      assert.equal(0, status)
    end
    local _, errors, status = command.shell(command.line { "diff", "-", "/dev/null" } .. " <&-")
    assert.equal(2, status)
    check.contains(errors, "cannot read the snapshot -: Bad file descriptor")
  end)
end)
