-- Serves user directories from nginx: see README.md. Every call of rollcall below yields to the worker.

local cjson = require "cjson"
local rollcall = require "rollcall"

local directory = {}

local FLUSH_BYTES = 16384 -- of lines that are sent together
local PERIOD = 0.1 -- seconds between two counts

--- A variable of the environment; nil if it is empty.
local function env(name)
  local value = os.getenv(name)
  return value ~= "" and value or nil
end

--- The clients, by name: of the real APIs if there are credentials, otherwise of the sandbox. A worker keeps them, with
--- their connections, tokens and rate limits, for as long as it lives.
local clients = {}
if env "TESOURO_CLIENT_ID" then
  clients.tesouro = rollcall.tesouro {
    client_id = env "TESOURO_CLIENT_ID",
    client_secret = env "TESOURO_CLIENT_SECRET",
    environment = env "TESOURO_ENVIRONMENT",
    base_url = env "TESOURO_BASE_URL",
  }
end
if env "DINTERO_CLIENT_ID" then
  clients.dintero = rollcall.dintero {
    account = env "DINTERO_ACCOUNT",
    client_id = env "DINTERO_CLIENT_ID",
    client_secret = env "DINTERO_CLIENT_SECRET",
    base_url = env "DINTERO_BASE_URL",
  }
end
if not next(clients) and env "SANDBOX_TESOURO_URL" then
  local id, secret = env "SANDBOX_CLIENT_ID", env "SANDBOX_CLIENT_SECRET"
  clients.tesouro = rollcall.tesouro { client_id = id, client_secret = secret, base_url = env "SANDBOX_TESOURO_URL" }
  clients.dintero = rollcall.dintero {
    account = env "SANDBOX_DINTERO_ACCOUNT",
    client_id = id,
    client_secret = secret,
    base_url = env "SANDBOX_DINTERO_URL",
  }
end

--- What an HTTP client may see of an error: no url, body or checkpoint.
local function describe(err)
  return { kind = err.kind, message = err.message, status = err.status, request_id = err.request_id }
end

local function refuse(status, message)
  ngx.status = status
  ngx.header["Content-Type"] = "application/json"
  ngx.say(cjson.encode { error = { message = message } })
  return ngx.exit(status)
end

-- The arguments that are numbers.
local numbers = { page_size = true, limit = true, prefetch = true, deadline = true, max_requests = true,
  max_bytes = true }

--- The stream that the request's arguments ask for: `provider`, and options of client:users, which rollcall checks. By
--- default it covers the whole directory, whatever the status.
local function stream_of_request()
  local query = ngx.req.get_uri_args(20)
  local client = clients[query.provider]
  if not client then
    return refuse(404, "there is no such provider")
  end
  for name, value in pairs(query) do
    query[name] = numbers[name] and tonumber(value) or value
  end
  if query.provider == "tesouro" then
    query.status = query.status or "ALL"
  end
  query.provider = nil
  local good, stream = pcall(client.users, client, query)
  if not good then
    return refuse(400, stream)
  end
  -- A client that disconnects ends the walk at once.
  assert(ngx.on_abort(function()
    stream:close()
    ngx.exit(499)
  end))
  return stream
end

--- Sends, and waits until nginx has sent it on: back-pressure, so that a slow reader slows down the walk, and nothing
--- piles up. False if the reader is gone.
local function send(text)
  return ngx.print(text) and ngx.flush(true)
end

--- GET /users: a line of JSON per user, and at the end { "error": … } if the walk failed.
function directory.users()
  local stream = stream_of_request()
  local user, err = stream:next()
  if err then
    ngx.status = 502
    ngx.header["Content-Type"] = "application/json"
  end
  local lines, n, bytes = {}, 0, 0
  while user do
    -- Whitespace between the tokens may have line breaks in it; strings have none.
    local line = rollcall.json(user):gsub("[\r\n]+", " ")
    n, bytes = n + 1, bytes + #line
    lines[n] = line
    if bytes >= FLUSH_BYTES then
      lines[n + 1] = ""
      if not send(table.concat(lines, "\n", 1, n + 1)) then
        return stream:close()
      end
      n, bytes = 0, 0
    end
    user, err = stream:next()
  end
  lines[n + 1] = err and cjson.encode { error = describe(err) } .. "\n" or ""
  send(table.concat(lines, "\n", 1, n + 1))
end

--- GET /counts: server-sent events, each { users, statuses, seconds, done, error }.
function directory.counts()
  local stream = stream_of_request()
  local statuses, users = {}, 0
  ngx.update_time()
  local began = ngx.now()
  local told = began
  local function tell(done, err)
    told = ngx.now()
    return send("data: " .. cjson.encode {
      users = users,
      statuses = statuses,
      seconds = told - began,
      done = done,
      error = err and describe(err) or nil,
    } .. "\n\n")
  end
  local user, err = stream:next()
  while user do
    local status = user.status or "unknown"
    users = users + 1
    statuses[status] = (statuses[status] or 0) + 1
    if ngx.now() - told >= PERIOD and not tell(false) then
      return stream:close()
    end
    user, err = stream:next()
  end
  tell(true, err)
end

return directory
