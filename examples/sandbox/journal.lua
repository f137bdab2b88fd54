-- What the sandbox saw: counters, and the last requests.

local cjson = require "cjson"

local journal = {}

local memory = ngx.shared.journal
local KEPT = 500
local PROVIDERS = { "tesouro", "dintero" }
local COUNTERS = { "connections", "token_requests", "user_requests", "list_requests", "rate_limited" }

-- Increments a provider's counter.
function journal.count(provider, counter)
  memory:incr(provider .. "." .. counter, 1, 0)
end

-- The counters: by provider, then by name.
function journal.stats()
  local stats = {}
  for _, provider in ipairs(PROVIDERS) do
    stats[provider] = {}
    for _, counter in ipairs(COUNTERS) do
      stats[provider][counter] = memory:get(provider .. "." .. counter) or 0
    end
  end
  return stats
end

-- Scheme and a short hash: enough to tell whether two requests had the same credentials.
local function hide(authorization)
  return (authorization:gsub("(%S+)%s*$", function(credentials) return "md5:" .. ngx.md5(credentials):sub(1, 8) end))
end

-- Records the request that has just ended.
function journal.record(provider)
  local headers = {}
  for name, value in pairs(ngx.req.get_headers()) do
    if name == "authorization" then
      headers[name] = type(value) == "table" and "several" or hide(value)
    else
      headers[name] = value
    end
  end
  local number = memory:incr("requests", 1, 0)
  memory:set("request:" .. number % KEPT, cjson.encode {
    number = number,
    time = ngx.req.start_time(),
    provider = provider,
    protocol = ngx.var.server_protocol,
    tls_resumed = ngx.var.ssl_session_reused == "r",
    method = ngx.req.get_method(),
    path = ngx.var.uri,
    query = ngx.var.args or "",
    args = ngx.req.get_uri_args(),
    headers = headers,
    status = ngx.status,
    bytes_sent = tonumber(ngx.var.bytes_sent),
    complete = ngx.var.request_completion == "OK",
    request_id = ngx.var.request_id,
  })
end

-- The last requests, oldest first, as the JSON text of an array.
function journal.log()
  local entries, last = {}, memory:get "requests" or 0
  for number = math.max(1, last - KEPT + 1), last do
    entries[#entries + 1] = memory:get("request:" .. number % KEPT)
  end
  return "[" .. table.concat(entries, ",\n") .. "]\n"
end

function journal.reset()
  memory:flush_all()
end

return journal
