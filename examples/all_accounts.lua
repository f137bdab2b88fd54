-- All users of all merchants of a Dintero partner; the merchants are walked concurrently.
--
-- Uses the real API if DINTERO_CLIENT_ID, DINTERO_CLIENT_SECRET and DINTERO_ACCOUNT are set: the partner's account, and
-- a client that may read its merchants' accounts; otherwise the sandbox, by its variables.

local rollcall = require "rollcall"

local function options(more)
  local url = (os.getenv "DINTERO_CLIENT_ID" or "") == "" and os.getenv "SANDBOX_DINTERO_URL" or nil
  more.base_url = url
  more.client_id = os.getenv(url and "SANDBOX_CLIENT_ID" or "DINTERO_CLIENT_ID")
  more.client_secret = os.getenv(url and "SANDBOX_CLIENT_SECRET" or "DINTERO_CLIENT_SECRET")
  return more
end

local partner, accounts = rollcall.dintero(options { account = os.getenv "DINTERO_ACCOUNT" or "T12300000" }), {}
local known = {} -- a merchant added during the walk may push one to the next page, where it comes again
for account in partner:accounts() do
  accounts[#accounts + 1] = not known[account.id] and account.id or nil
  known[account.id] = true
end
if #accounts == 0 then
  print "the account has no merchants"
  return
end
local users = rollcall.dintero(options { accounts = accounts }):users()
for user in users do print(user.account_id, user.email, user.status) end
