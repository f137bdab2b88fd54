-- A scripted HTTP server in a process of its own, for the answers that the sandbox never gives.
--
--   local server = require("spec.support.server").start()
--   server:script { ["/a/path"] = { { status = 503 }, { body = "[]" } } }
--   … requests to server.url .. "/a/path" …
--   server:requests()                            -- what came, oldest first
--   server:stop()
--
-- A script maps a path (or a path with its query) to its answers in turn; the last one is repeated.
-- An answer has
--   status, type, headers, body       type: the content type, false for none; headers: a list of lines
--   raw                               instead of these: all bytes, then the connection is closed
--   chunked, step, pause              in pieces of `step` bytes, `pause` seconds after each
--   length                            lies about Content-Length; false leaves it out and closes after the body
--   cut                               closes after so many bytes of the body
--   tail, times                       behind the body, or `raw`: this text, so many times, or until the client goes
--   delay, hold                       seconds before the answer, and after it
--   tunnel                            after it: what a proxy does, to this port of 127.0.0.1; asked for by CONNECT
--   mute                              says nothing, and nothing more on any of the connections that there are
--   close, reset, silent              closes after it; resets the connection; says nothing and closes
-- It needs LuaSocket, on whichever Lua has it.

local cjson = require "cjson"
local core = require "rollcall.core"
local http = require "spec.support.http"

local Server = {}
Server.__index = Server

local server = {}

local COMMAND = [[
for lua in lua5.4 luajit lua5.3 lua5.1 lua; do
  if LUA_PATH=';;' LUA_CPATH=';;' LD_PRELOAD= "$lua" -e 'require "socket" require "cjson"' 2>/dev/null; then
    LUA_PATH=';;' LUA_CPATH=';;' LD_PRELOAD= exec "$lua" spec/support/server_process.lua '%s'
  fi
done
echo 'the scripted server needs LuaSocket (Debian: apt install lua-socket)' >&2
]]

local function read_port(path)
  local file = io.open(path)
  local port = file and file:read "*l"
  if file then
    file:close()
  end
  return port ~= "" and port or nil
end

--- Starts one; returns when it answers.
function server.start()
  collectgarbage() -- a process inherits the connections that nobody has closed yet
  local path = os.tmpname()
  local process = assert(io.popen(COMMAND:format(path), "w"))
  local port
  for _ = 1, 1000 do
    port = read_port(path)
    if port then
      break
    end
    core.wait({}, 0.01)
  end
  os.remove(path)
  assert(port, "the scripted server did not start")
  return setmetatable({ process = process, scripts = 0, url = "http://127.0.0.1:" .. port }, Server)
end

local function control(self, what, body)
  local answer = http.request { method = "POST", url = self.url .. "/-/" .. what, body = body or "" }
  assert(answer.status == 200, answer.line or answer.body)
  return cjson.decode(answer.body)
end

--- From now on it answers so; what it has received is forgotten.
---@param answers table<string, table[]>
function Server:script(answers)
  self.scripts = self.scripts + 1
  if self.scripts % 16 == 0 then
    collectgarbage() -- clients that a test has dropped keep their connections until then
  end
  control(self, "script", next(answers) and cjson.encode(answers) or "{}")
end

--- What it has received: method, target, path, query, headers (names in lower case), lines, body,
--- connection (a number), time.
---@param path string? only those
---@return table[]
function Server:requests(path)
  local list = {}
  for _, request in ipairs(control(self, "journal")) do
    if not path or request.path == path then
      list[#list + 1] = request
    end
  end
  return list
end

function Server:stop()
  self.process:close()
end

return server
