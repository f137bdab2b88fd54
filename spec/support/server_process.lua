-- A scripted HTTP server for the specs: see server.lua, which starts it and tells it what to answer.
--
--   lua server_process.lua PORT_FILE
--
-- One thread, a coroutine a connection. It ends with its standard input.

local cjson = require "cjson"
local socket = require "socket"

local port_file = ...

local script, journal, turns = {}, {}, {}
local connections, mute_up_to = 0, 0

-- -- what a coroutine waits for: { read = client }, { write = client } or { at = time } --------

local waiting = {} -- coroutine to what it waits for

local function sleep(seconds)
  coroutine.yield { at = socket.gettime() + seconds }
end

local function receive(client, pattern)
  local got = ""
  while true do
    local piece, problem, rest = client:receive(pattern)
    if piece then
      return got .. piece
    end
    got = got .. rest
    if type(pattern) == "number" then
      pattern = pattern - #rest
    end
    if problem ~= "timeout" then
      return nil
    end
    coroutine.yield { read = client }
  end
end

local function send(client, bytes)
  local from = 1
  while from <= #bytes do
    local last, problem, partial = client:send(bytes, from)
    from = (last or partial) + 1
    if not last then
      if problem ~= "timeout" then
        return nil
      end
      coroutine.yield { write = client }
    end
  end
  return true
end

-- -- requests and answers -----------------------------------------------------------------------

local function read_request(client)
  local line = receive(client, "*l")
  if not line then
    return nil
  end
  local method, target = line:match "^(%S+) (%S+) HTTP/1%.[01]$"
  if not method then
    return nil
  end
  local headers, lines = {}, {}
  while true do
    line = receive(client, "*l")
    if not line or line == "" then
      break
    end
    lines[#lines + 1] = line
    local name, value = line:match "^([^:]+):%s*(.-)%s*$"
    if name then
      headers[name:lower()] = value
    end
  end
  local length = tonumber(headers["content-length"] or "0")
  local body = length > 0 and receive(client, length) or ""
  return { method = method, target = target, path = target:match "^[^?]*", query = target:match "%?(.*)$" or "",
    headers = headers, lines = lines, body = body }
end

local reasons = { [200] = "OK", [302] = "Found", [400] = "Bad Request", [404] = "Not Found" }

local resume -- the loop's

--- Passes bytes on as they come, until one side ends.
local function pass_on(from, to)
  while true do
    local bytes, problem, some = from:receive(8192)
    bytes = bytes or some
    if #bytes > 0 and not send(to, bytes) or problem == "closed" then
      break
    elseif problem then
      coroutine.yield { read = from }
    end
  end
  to:shutdown "send"
end

--- Sends one scripted answer; whether the connection can take another request.
local function answer(client, response)
  if response.delay then
    sleep(response.delay)
  end
  local function send_tail()
    for _ = 1, response.times or (response.tail and math.huge or 0) do
      if not send(client, response.tail) then
        return false
      end
    end
    return true
  end
  if response.raw then
    send(client, response.raw)
    send_tail()
  elseif not response.silent then
    local body = response.body or ""
    local head = { ("HTTP/1.1 %d %s"):format(response.status or 200, reasons[response.status or 200] or "Whatever") }
    if response.type ~= false then
      head[#head + 1] = "Content-Type: " .. (response.type or "application/json")
    end
    if response.chunked then
      head[#head + 1] = "Transfer-Encoding: chunked"
    elseif response.length ~= false then
      head[#head + 1] = ("Content-Length: %d"):format(response.length or #body)
    end
    for _, line in ipairs(response.headers or {}) do
      head[#head + 1] = line
    end
    send(client, table.concat(head, "\r\n") .. "\r\n\r\n")
    local sent = response.cut and body:sub(1, response.cut) or body
    local step = response.step or math.max(1, #sent)
    for from = 1, #sent, step do
      local piece = sent:sub(from, from + step - 1)
      if not send(client, response.chunked and ("%x\r\n%s\r\n"):format(#piece, piece) or piece) then
        return false
      end
      if response.pause then
        sleep(response.pause)
      end
    end
    if not send_tail() then
      return false
    end
    if response.chunked and not response.cut then
      send(client, "0\r\n\r\n")
    end
  end
  if response.hold then
    sleep(response.hold)
  end
  if response.tunnel then
    local other = assert(socket.connect("127.0.0.1", response.tunnel))
    other:settimeout(0)
    resume(coroutine.create(pass_on), other, client)
    pass_on(client, other)
    return false
  end
  if response.reset then
    if response.body or response.raw then
      sleep(0.05) -- a reset throws away what the other side has not read yet
    end
    client:setoption("linger", { on = true, timeout = 0 })
    return false
  end
  return not (response.close or response.raw or response.cut or response.silent or response.length == false)
end

local function next_response(request)
  local key = script[request.target] and request.target or request.path
  local list = script[key]
  if not list then
    return { status = 404, body = '{"message":"this path is not in the script"}' }
  end
  turns[key] = (turns[key] or 0) + 1
  return list[math.min(turns[key], #list)]
end

local control = {}

function control.script(body)
  script, journal, turns = cjson.decode(body), {}, {}
  return "{}"
end

function control.journal()
  return #journal == 0 and "[]" or cjson.encode(journal)
end

local function serve(client)
  connections = connections + 1
  local number = connections
  local open = true
  while open do
    local request = read_request(client)
    if not request then
      break
    end
    local wanted = request.path:match "^/%-/(%a+)$"
    if wanted then
      open = answer(client, { body = control[wanted](request.body) })
    else
      request.connection, request.time = number, socket.gettime()
      journal[#journal + 1] = request
      local response = next_response(request)
      mute_up_to = response.mute and connections or mute_up_to
      if number > mute_up_to then
        open = answer(client, response)
      end
    end
  end
  client:close()
end

-- -- the loop -----------------------------------------------------------------------------------

function resume(thread, ...)
  waiting[thread] = nil
  local good, wish = coroutine.resume(thread, ...)
  if not good then
    io.stderr:write("scripted server: ", tostring(wish), "\n")
  elseif coroutine.status(thread) ~= "dead" then
    waiting[thread] = wish
  end
end

local listener = assert(socket.bind("127.0.0.1", 0, 64))
listener:settimeout(0)
local _, port = listener:getsockname()

-- Standard input, for select: its end is the end of the specs.
local input = { getfd = function() return 0 end, dirty = function() return false end }

local file = assert(io.open(port_file, "w"))
file:write(port, "\n")
file:close()

while true do
  local readers, writers, wake = { listener, input }, {}, socket.gettime() + 3600
  for _, wish in pairs(waiting) do
    readers[#readers + 1] = wish.read
    writers[#writers + 1] = wish.write
    wake = math.min(wake, wish.at or wake)
  end
  local readable, writable = socket.select(readers, writers, math.max(0, wake - socket.gettime()))
  if readable[input] then
    os.exit(0)
  end
  local now, due = socket.gettime(), {}
  for thread, wish in pairs(waiting) do
    if readable[wish.read] or writable[wish.write] or (wish.at and wish.at <= now) then
      due[#due + 1] = thread
    end
  end
  for _, thread in ipairs(due) do
    resume(thread)
  end
  local client = readable[listener] and listener:accept()
  if client then
    client:settimeout(0)
    client:setoption("tcp-nodelay", true)
    resume(coroutine.create(serve), client)
  end
end
