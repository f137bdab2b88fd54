-- rollcall check [SOURCE…]: does each source work, and if not, why? A sentence for each step.

local core = require "rollcall.core"
local failure = require "rollcall.cli.failure"
local header = require "rollcall.http.header"
local one_line = require "rollcall.one_line"
local proxy = require "rollcall.http.proxy"
local query = require "rollcall.cli.query"
local tables = require "rollcall.tables"

local check = { summary = "Try each source: address, TLS, clock, credentials, users." }

check.description = [[
For each source: is it reached, is its certificate good, do the clocks agree, do the credentials work, can users
be read? A sentence for each, and what to do where the answer is no. One user of each account is asked for.]]

check.epilog = [[
Exit status: 0 all is well, 2 wrong usage, or a configuration that cannot be read, 3 something is not well, be it
the options of a source.]]

local SKEW = 30 -- seconds; a larger difference between the clocks is reported
local TIMEOUT = 15

function check.declare(command)
  command:argument "source":description "Names of sources; all by default.":args "*"
end

--- Sends a request without credentials; returns the answer's Date header ("" for none), or nil, the failure and a line
--- about it.
local function probe(session, source, client)
  local options = source.options
  local engine = core.engine()
  local transfer, err = engine:request {
    url = client.base_url .. "/",
    headers = { "User-Agent: rollcall" },
    ca_file = options.ca_file,
    client_cert = options.client_cert,
    client_key = options.client_key,
    proxy = proxy.of(options.proxy, client.base_url),
    connect_timeout = options.connect_timeout,
    timeout = TIMEOUT,
  }
  if not transfer then
    return nil, "network", err.message
  end
  while not transfer:done() do
    session.loop.wait({ engine }, TIMEOUT)
  end
  local kind, line = transfer:failure()
  local date = transfer:header "date"
  local is_answer = transfer:status() ~= nil
  engine:close()
  if is_answer then
    return date or ""
  end
  return nil, kind, line
end

local hints = {
  network = "Check the network, the proxy variables (https_proxy) and the source's base_url",
  timeout = "Check the network and the proxy; a firewall may drop what is sent",
  tls = "Check the computer's clock and its authorities; an authority of your own is ca_file in the configuration",
}

--- Reports whether the server can be reached; returns false if not.
local function check_server(session, source, client, tell)
  local date, kind, line = probe(session, source, client)
  if not date then
    local what = kind == "tls" and "its certificate or TLS handshake was refused" or "it cannot be reached"
    local why = tostring(line):gsub("%.$", "")
    tell(false, ("%s: %s: %s. %s."):format(client.base_url, what, why, hints[kind] or hints.network))
    return false
  end
  tell(true, ("%s is reached."):format(client.base_url))
  if client.base_url:find "^https:" then
    tell(true, ("TLS: the certificate is good, by %s."):format(source.options.ca_file or "the system's authorities"))
  else
    tell(true, "TLS: none, plain http: do this on loopback only, since who listens on the way can read the token.")
  end
  local at = header.date(date)
  local skew = at and os.time() - at
  if not at then
    tell(true, "Clock: the server does not say what time it has.")
  elseif math.abs(skew) > SKEW then
    tell(false, ("Clock: this computer is %d seconds %s the server. Set its clock (timedatectl set-ntp true): "
      .. "tokens and certificates are judged by it."):format(math.abs(skew), skew > 0 and "ahead of" or "behind"))
  else
    tell(true, "Clock: agrees with the server's.")
  end
  return true
end

--- Asks for one user, with the credentials; with several accounts for one of each, since each has its own token.
local function check_users(session, source, client, tell)
  local single, list = query.list_option(source)
  if list then
    for _, account in ipairs(source.options[list]) do
      local one = { name = source.name, provider = source.provider, query = source.query, origin = source.origin,
        options = tables.copy(source.options) }
      one.options[single], one.options[list] = account, nil
      local problem
      one.client, problem = session:try_client(one, { retry = { attempts = 2 } })
      if one.client then
        check_users(session, one, one.client, function(good, sentence)
          tell(good, account .. ": " .. sentence)
        end)
        one.client:close()
      else -- its credentials are obtained again, which may fail
        tell(false, ("%s: configuration: %s."):format(account, problem))
      end
    end
    return
  end
  local asked = query.of(source, {})
  asked.limit = 1
  asked.prefetch = 0
  local good, users = pcall(client.users, client, asked)
  if not good then
    tell(false, failure.plain(users))
    return
  end
  local user, err = users:next()
  users:close()
  if user ~= nil then
    tell(true, "Credentials: accepted.")
    if user.id == nil and user.email == nil and user.name == nil then
      tell(false, "Users: can be read, but the first one has no id, email or name: look at `items` and `fields` of the "
        .. "provider.")
    else
      tell(true, "Users: can be read.")
    end
  elseif not err then
    tell(true, "Credentials: accepted.")
    tell(true, "Users: there are none, or none that these credentials may see.")
  else
    local what = err.kind == "auth" and (err.status == 403 and "Users" or "Credentials") or "Users"
    tell(false, ("%s: %s. %s"):format(what, tostring(err):gsub("%.$", ""),
      (failure.advice(err) or ""):gsub(" `rollcall check` tries each step%.$", "")))
  end
end

---@param session rollcall.cli.Session
---@return integer status
function check.run(session)
  local sources = session:sources(session.args.source)
  local is_well = true
  for _, source in ipairs(sources) do
    local function tell(good, sentence)
      is_well = is_well and good
      session.output:write(("%s: %s%s\n"):format(source.name, good and "" or "NOT WELL: ", one_line(sentence)))
      session.output:flush()
    end
    local client, problem = session:try_client(source, { retry = { attempts = 2 } })
    if not client then
      tell(false, ("configuration: %s. Correct it in %s."):format(problem:gsub("^" .. source.name:gsub("%p", "%%%0")
        .. ": ", ""), source.origin))
    else
      tell(true, ("Configuration: %s, from %s."):format(client.provider.name, source.origin))
      if check_server(session, source, client, tell) then
        source.client = client
        check_users(session, source, client, tell)
      end
      client:close()
    end
  end
  return is_well and failure.FOUND or failure.FAILED
end

return check
