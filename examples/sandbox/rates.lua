-- Counts requests per second: windows are whole seconds, as in the usual API gateways.

local rates = {}

local windows = ngx.shared.rates

local function key_of(client)
  return client .. "@" .. math.floor(ngx.now())
end

-- Counts one request of `client`; returns whether it is within `limit`, and how many more are allowed in this second.
function rates.take(client, limit)
  local used = windows:incr(key_of(client), 1, 0, 2)
  return used <= limit, math.max(limit - used, 0)
end

-- How many more requests `client` may send in this second.
function rates.remaining(client, limit)
  return math.max(limit - (windows:get(key_of(client)) or 0), 0)
end

function rates.reset()
  windows:flush_all()
end

return rates
