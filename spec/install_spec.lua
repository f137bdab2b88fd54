-- `make install` and `make uninstall`, in a directory of their own, and which Luas it can be built for.

local command = require "spec.support.command"

local LUA = rawget(_G, "jit") and "luajit" or "lua5.4"
local OTHER = LUA == "luajit" and "lua5.4" or "luajit"
local version = "rollcall " .. require "rollcall.version" .. "\n"
local directory

--- A target for a Lua; what make complained of, and its status.
local function make(target, lua, more)
  local _, errors, status = command.shell(("env -u MAKEFLAGS -u MAKELEVEL make -s %s LUA=%s PREFIX=%s %s"):format(
    target, lua, command.quote(directory .. "/with blanks/x"), more or ""))
  return errors, status
end

local function built(lua)
  return command.read(("%s/%s/rollcall/core.so"):format(os.getenv "BUILD" or "build", lua)) ~= nil
end

--- What the installed command says of its version, called from elsewhere without any path.
local function run(place)
  return command.shell(("cd / && env -u LUA_PATH -u LUA_CPATH -u LD_PRELOAD %s --version"):format(
    command.quote(place .. "/bin/rollcall")))
end

before_each(function()
  directory = os.tmpname()
  os.remove(directory)
end)
after_each(function()
  os.execute("rm -rf " .. directory)
end)

describe("make install", function()
  if not built(LUA) then
    pending "the module is built elsewhere"
    return
  end

  it("installs a command that finds its modules, whatever the path", function()
    local errors, status = make("install", LUA)
    assert.equal("", errors)
    assert.equal(0, status)
    local output, said = run(directory .. "/with blanks/x")
    assert.equal("", said)
    assert.equal(version, output)
  end)

  it("prepares a package under DESTDIR, which is found under PREFIX", function()
    local _, status = make("install", LUA, "DESTDIR=" .. directory .. "/stage")
    assert.equal(0, status)
    assert.is_nil(command.read(directory .. "/with blanks/x/bin/rollcall"))
    assert.equal(0, (select(3, command.shell(("mv %s/stage/%s/with* %s/"):format(directory, directory, directory)))))
    assert.equal(version, (run(directory .. "/with blanks/x")))
  end)

  it("is undone for one Lua, and leaves another's", function()
    if not built(OTHER) then
      pending "there is one Lua only"
      return
    end
    local place = directory .. "/with blanks/x"
    make("install", OTHER)
    make("install", LUA)
    assert.equal(version, (run(place)))
    assert.equal("", (make("uninstall", OTHER)))
    assert.equal(version, (run(place)))
    assert.equal("", (make("uninstall", LUA)))
    local left = command.shell(("find %s -type f"):format(command.quote(directory)))
    assert.equal("", left)
    make("install", LUA)
    make("install", OTHER)
    make("uninstall", LUA)
    assert.equal(version, (run(place)))
  end)
end)

describe("the sources", function()
  local LUA51, LUA54 = "/usr/include/lua5.1", "/usr/include/lua5.4"

  --- What gcc says of files with a Lua's headers.
  local function check(headers, files)
    if not command.read(headers .. "/lua.h") then
      pending(headers .. " is not here")
      return nil
    end
    local _, errors = command.shell(("gcc -std=c11 -fsyntax-only -Werror=implicit-function-declaration -Icsrc "
      .. "-isystem %s $(pkg-config --cflags libcurl 2>/dev/null) %s"):format(headers, files))
    return errors
  end

  --- The same of a text before compat.h.
  local function check_compat(text)
    local path = directory .. ".c"
    command.write(path, "#include <lua.h>\n" .. text .. "\n#include \"compat.h\"\n")
    local errors = check(LUA54, path)
    os.remove(path)
    return errors
  end

  it("declare what LuaJIT has beyond Lua 5.1's headers", function()
    local errors = check(LUA51, "csrc/*.c")
    if errors then
      assert.equal("", errors)
    end
  end)

  it("refuse other Luas", function()
    local errors = check_compat ""
    if not errors then
      return
    end
    assert.equal("", errors)
    for _, number in ipairs { "502", "503" } do
      errors = check_compat("#undef LUA_VERSION_NUM\n#define LUA_VERSION_NUM " .. number)
      assert.truthy(errors:find("rollcall needs Lua 5.4 or LuaJIT 2.1", 1, true), errors)
    end
    errors = check_compat "#define lua_Integer int"
    assert.truthy(errors:find("rollcall needs a Lua whose integers have 64 bits", 1, true), errors)
  end)
end)
