local core = require "rollcall.core"
local repeats = require "rollcall.walk.repeats"

local WATERMARK = 1000 -- bytes

--- A page whose body is a list of users with these ids, or what came of it.
local function page(first, last, ended)
  local decoder = core.decoder { items = "", id = "/id" }
  local users = {}
  for id = first, last do
    users[#users + 1] = ('{"id":%d}'):format(id)
  end
  assert(decoder:feed("[" .. table.concat(users, ",") .. (ended and "]" or "")))
  if ended then
    assert(decoder:finish())
  end
  return { exchange = { decoder = decoder }, ended = ended, whole = ended }
end

describe("what a walk knows again", function()
  it("is a token that was asked for, at any distance", function()
    local known = repeats.new {}
    for i = 1, 1000 do
      assert.is_true(known:ask("t" .. i))
    end
    assert.is_false(known:ask "t1")
    assert.is_false(known:ask "t1000")
    assert.is_true(known:ask "t")
  end)

  it("is a page that began alike, once as much of it is there as tells", function()
    local known = repeats.new {}
    assert.is_false(known:is_known(page(1, 20, true), WATERMARK))
    assert.is_nil(known:remember(page(1, 20, true)))
    assert.is_true(known:is_known(page(1, 20, true), WATERMARK))
    assert.is_true(known:is_known(page(1, 16, false), WATERMARK)) -- sixteen users tell, whatever follows
    assert.is_nil(known:is_known(page(1, 15, false), WATERMARK)) -- fewer do not yet
    assert.is_false(known:is_known(page(1, 15, true), WATERMARK)) -- and it is another page, where it ends there
    assert.is_false(known:is_known(page(2, 20, false), WATERMARK)) -- one is enough, where it is another
    assert.is_nil(known:is_known(page(1, 0, false), WATERMARK)) -- none says nothing
    assert.is_false(known:is_known(page(1, 0, true), WATERMARK))
    assert.is_false(known:is_known(page(2, 2, false), WATERMARK))
  end)

  it("is given up where no more comes before some are read", function()
    local known = repeats.new {}
    known:remember(page(1, 20, true))
    assert.is_false(known:is_known(page(1, 10, false), 10))
    local begun = page(1, 10, false)
    local waiting = select(4, begun.exchange.decoder:opening())
    assert.is_nil(known:is_known(begun, waiting + 1))
    assert.is_false(known:is_known(begun, waiting))
    assert.is_nil(known:is_known(page(1, 0, false), 0)) -- of nobody nothing is known
  end)

  it("is no single user, unless pages have numbers", function()
    local by_token, by_number = repeats.new {}, repeats.new { least = 1 }
    for _, known in ipairs { by_token, by_number } do
      assert.is_nil(known:remember(page(7, 7, true)))
    end
    assert.is_false(by_token:is_known(page(7, 7, true), WATERMARK))
    assert.is_true(by_number:is_known(page(7, 7, true), WATERMARK))
    assert.is_nil(by_token:remember(page(8, 9, true)))
    assert.is_true(by_token:is_known(page(8, 9, true), WATERMARK)) -- two are enough
    assert.equal("again", by_token:remember(page(8, 9, true)))
  end)
end)

describe("a server that never ends", function()
  it("is one whose page came before", function()
    local known = repeats.new {}
    assert.is_nil(known:remember(page(1, 5, true)))
    assert.is_nil(known:remember(page(6, 9, true)))
    assert.equal("again", known:remember(page(1, 5, true)))
  end)

  it("is one that gives the same user a hundred times in a row", function()
    local known = repeats.new {}
    known:remember(page(1, 1, true))
    for _ = 1, 99 do
      assert.is_nil(known:remember(page(1, 1, true)))
    end
    assert.equal("again", known:remember(page(1, 1, true)))
  end)

  it("is none where others come between", function()
    local known = repeats.new {}
    known:remember(page(1, 1, true))
    for i = 2, 300 do
      assert.is_nil(known:remember(page(1, 1, true)))
      if i % 50 == 0 then
        assert.is_nil(known:remember(page(i, i, true)))
      end
    end
  end)

  it("is one of empty pages: of a hundred where the client counts them, of ten thousand where it names each", function()
    for paging, most in pairs { [{ is_counted = true }] = 100, [{}] = 10000 } do
      local known, nobody = repeats.new(paging), page(1, 0, true)
      for _ = 1, most do
        assert.is_nil(known:remember(nobody))
      end
      assert.equal("empty", known:remember(nobody))
      known:remember(page(1, 2, true))
      for _ = 1, most do
        assert.is_nil(known:remember(nobody)) -- somebody has come
      end
    end
  end)
end)
