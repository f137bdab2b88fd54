-- A small HTTP server in the same process, for the conformance kit: it runs while the client waits, so there is no
-- process to start, find or leave running. It needs LuaSocket, and listens only on loopback.

local core = require "rollcall.core"

local server = {}

---@class rollcall.ServerRequest
---@field method string
---@field target string path and query
---@field path string still encoded
---@field parameters { [1]: string, [2]: string }[] of the query, decoded, in order
---@field headers table<string, string> by lower-case name
---@field body string

---@class rollcall.ServerResponse
---@field status integer? 200 by default
---@field type string? content type, application/json by default
---@field headers string[]? lines
---@field body string?
---@field cut integer? closes the connection after this many bytes of the body

---@class rollcall.ConformanceServer
---@field url string its origin
---@field handler fun(request: rollcall.ServerRequest): rollcall.ServerResponse
---@field listener table LuaSocket's
---@field connections table<table, true>
local Server = {}
Server.__index = Server

-- Seconds that the client waits for its own sockets before the server's next turn.
local TURN = 0.001

local REASONS = { [200] = "OK", [302] = "Found", [400] = "Bad Request", [401] = "Unauthorized", [404] = "Not Found",
  [429] = "Too Many Requests", [503] = "Service Unavailable" }

--- LuaSocket; nil if it is not installed.
local function find_socket()
  local known, socket = pcall(require, "socket")
  return known and socket or nil
end

--- Can a server be started?
---@return boolean? yes
---@return string? problem
function server.check()
  if find_socket() then
    return true
  end
  return nil,
    "it needs LuaSocket, for a server on loopback (luarocks install luasocket; on Debian apt install lua-socket)"
end

---@param handler fun(request: rollcall.ServerRequest): rollcall.ServerResponse
---@return rollcall.ConformanceServer
function server.start(handler)
  local socket = assert(find_socket(), "LuaSocket is not installed")
  local listener = assert(socket.bind("127.0.0.1", 0, 64))
  listener:settimeout(0)
  local _, port = listener:getsockname()
  return setmetatable({
    handler = handler,
    listener = listener,
    connections = {},
    url = ("http://127.0.0.1:%d"):format(port),
  }, Server)
end

local function decode(text)
  return (text:gsub("+", " "):gsub("%%(%x%x)", function(hex)
    return string.char(tonumber(hex, 16))
  end))
end

--- The parameters of a query, decoded, in order.
---@param query string
---@return { [1]: string, [2]: string }[]
function server.parameters(query)
  local list = {}
  for part in query:gmatch("[^&]+") do
    local name, value = part:match("^([^=]*)=?(.*)$")
    list[#list + 1] = { decode(name), decode(value) }
  end
  return list
end

--- The request at the beginning of the input, and the rest of that; nil if it is incomplete.
local function parse(input)
  local head, after = input:match("^(.-)\r\n\r\n()")
  if not head then
    return nil
  end
  local method, target = head:match("^(%S+) (%S+)")
  local headers = {}
  for name, value in head:gmatch("\r\n([^:\r\n]+):[ \t]*([^\r\n]*)") do
    headers[name:lower()] = value
  end
  local last = after - 1 + (tonumber(headers["content-length"]) or 0)
  if #input < last then
    return nil
  end
  return {
    method = method,
    target = target,
    path = target:match("^[^?]*"),
    parameters = server.parameters(target:match("%?(.*)$") or ""),
    headers = headers,
    body = input:sub(after, last),
  }, input:sub(last + 1)
end

--- The bytes of a response, and whether the connection is closed after it.
local function write(response)
  local body = response.body or ""
  local status = response.status or 200
  local lines = {
    ("HTTP/1.1 %d %s"):format(status, REASONS[status] or "Status"),
    "Content-Type: " .. (response.type or "application/json"),
    ("Content-Length: %d"):format(#body),
  }
  for _, line in ipairs(response.headers or {}) do
    lines[#lines + 1] = line
  end
  lines[#lines + 1] = "\r\n"
  return table.concat(lines, "\r\n") .. (response.cut and body:sub(1, response.cut) or body), response.cut ~= nil
end

local function close(self, connection)
  connection.socket:close()
  self.connections[connection] = nil
end

--- Does what can be done now for one connection; returns whether there was anything.
local function serve(self, connection)
  local is_busy = false
  if connection.output == "" and not connection.ends then
    local whole, problem, partial = connection.socket:receive(65536)
    local bytes = whole or partial or ""
    is_busy = bytes ~= ""
    connection.input = connection.input .. bytes
    local request, rest = parse(connection.input)
    if request then
      connection.input = rest
      connection.output, connection.ends = write(self.handler(request))
    elseif problem == "closed" then
      close(self, connection)
      return true
    end
  end
  if connection.output ~= "" then
    local last, problem, partial = connection.socket:send(connection.output)
    connection.output = connection.output:sub((last or partial or 0) + 1)
    is_busy = true
    if problem == "closed" or connection.output == "" and connection.ends then
      close(self, connection)
    end
  end
  return is_busy
end

--- Does what can be done now; returns whether there was anything.
---@return boolean
function Server:step()
  local client = self.listener:accept()
  if client then
    client:settimeout(0)
    client:setoption("tcp-nodelay", true)
    self.connections[{ socket = client, input = "", output = "" }] = true
  end
  local list = {}
  for connection in pairs(self.connections) do
    list[#list + 1] = connection
  end
  local is_busy = client ~= nil
  for _, connection in ipairs(list) do
    is_busy = serve(self, connection) or is_busy
  end
  return is_busy
end

--- Closes all connections, also those not accepted yet, so that their requests do not reach the next client's handler.
function Server:forget()
  local client = self.listener:accept()
  while client do
    client:close()
    client = self.listener:accept()
  end
  for connection in pairs(self.connections) do
    connection.socket:close()
  end
  self.connections = {}
end

function Server:stop()
  self:forget()
  self.listener:close()
end

--- A loop for the clients of these servers, for a client's `loop` option.
---@param servers rollcall.ConformanceServer[]
---@return table
function server.loop(servers)
  return { wait = function(engines, seconds)
    local is_busy = false
    for _, one in ipairs(servers) do
      is_busy = one:step() or is_busy
    end
    core.wait(engines, is_busy and 0 or math.min(seconds or TURN, TURN))
  end }
end

return server
