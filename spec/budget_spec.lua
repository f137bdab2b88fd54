local budget = require "rollcall.walk.budget"

describe("the budget of a walk", function()
  it("is none where nothing is limited", function()
    local one = budget.new {}
    one:spend("requests", 1000)
    assert.is_nil(one:requests_exceeded())
    assert.is_nil(one:exceeded(1e9))
    assert.is_nil(one:seconds_left(0))
    assert.is_false(one:limits_transfers())
  end)

  it("counts requests, the last of which is still sent", function()
    local one = budget.new { max_requests = 2 }
    one:spend("requests", 1)
    assert.is_nil(one:requests_exceeded())
    one:spend("requests", 1)
    assert.equal("the walk's 2 requests are used up", one:requests_exceeded())
    assert.is_false(one:limits_transfers())
  end)

  it("counts the seconds from the first look at it on", function()
    local one = budget.new { deadline = 10 }
    assert.is_nil(one:seconds_left(100))
    assert.is_nil(one:exceeded(100))
    assert.equal(7, one:seconds_left(103))
    assert.is_nil(one:exceeded(109.9))
    assert.equal("the walk's deadline of 10 seconds has passed", one:exceeded(110))
    assert.is_true(one:limits_transfers())
  end)

  it("adds what is under way in all its walks to the bytes of the pages that have ended", function()
    local one = budget.new { max_bytes = 100 }
    for i, bytes in ipairs { 30, 40 } do
      one.walks[i] = { running_bytes = function()
        return bytes
      end }
    end
    one:spend("bytes", 30)
    assert.is_nil(one:exceeded(0)) -- 100 of 100
    one:spend("bytes", 1)
    assert.equal("the walk's 100 bytes are used up", one:exceeded(0))
    assert.is_true(one:limits_transfers())
  end)

  it("takes no account of what it does not limit", function()
    local one = budget.new { max_requests = 1 }
    one:spend("retries", 5)
    assert.is_nil(one:requests_exceeded())
  end)
end)
