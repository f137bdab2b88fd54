-- The command with providers of one's own, as processes, against a scripted server.

local check = require "spec.support.check"
local cli = require "spec.support.cli"
local command = require "spec.support.command"
local scripted = require "spec.support.server"

local run = command.run
local complaints = cli.complaints

local server

setup(function()
  cli.begin()
  server = scripted.start()
end)
teardown(function()
  server:stop()
  cli.finish()
end)

--- A configuration with one source, `acme`: more of it, and what its provider has beside name and address.
local function acme(more, declared)
  return cli.configuration(([[return { sources = { acme = { base_url = %q, token = "hunter22-token", %s
    provider = { name = "acme", base_url = { production = "https://acme.example" }, %s } } } }]]):format(server.url,
    more, declared))
end

describe("a provider without users", function()
  it("is a source that is configured wrongly", function()
    local name = acme("", 'collections = { groups = { path = "/groups", items = "", paging = { type = "none" } } }')
    for _, arguments in ipairs { { "users" }, { "review" }, { "sources" }, { "find", "jane" } } do
      arguments[#arguments + 1], arguments[#arguments + 2] = "--config", name
      local errors, status = complaints(arguments)
      assert.equal("rollcall: acme: its provider has no users, which this command lists\n", errors)
      assert.equal(2, status)
    end
    local output, errors, status = run { "check", "--config", name }
    assert.equal("", errors)
    assert.equal(3, status)
    check.contains(output, "acme: NOT WELL: configuration: its provider has no users, which this command lists. "
      .. "Correct it in " .. name)
  end)
end)
