local json = require "rollcall.json"
local problem = require "rollcall.http.problem"

describe("problem.read", function()
  local function said(text)
    return { problem.read(json.decode(text)) }
  end

  it("knows the usual documents", function()
    assert.same({ "gone", "E7" }, said '{"error":{"code":"E7","message":"gone"}}')
    assert.same({ "gone" }, said '{"message":"gone"}')
    assert.same({ "not this one" }, said '{"type":"about:blank","title":"No","detail":"not this one","status":404}')
    assert.same({ "wrong secret", "invalid_client" },
      said '{"error":"invalid_client","error_description":"wrong secret"}')
    assert.same({ "no such user", "E0000007" }, said '{"errorCode":"E0000007","errorSummary":"no such user"}')
    assert.same({ "too many", "99991400" }, said '{"code":99991400,"msg":"too many"}')
    assert.same({ "fault it is", "Server" }, said '{"fault":{"code":"Server","faultstring":"fault it is"}}')
  end)

  it("takes the first of several, and what stands alone inside", function()
    assert.same({ "first", "A" }, said '[{"code":"A","message":"first"},{"code":"B","message":"second"}]')
    assert.same({ "first", "A" }, said '{"errors":[{"code":"A","detail":"first"},{"detail":"second"}]}')
    assert.same({ "only text" }, said '{"errors":["only text"]}')
    assert.same({ "inside", "3" }, said '{"response":{"code":3,"message":"inside"}}')
  end)

  it("says nothing of what says nothing", function()
    assert.same({}, said '{"data":[]}')
    assert.same({}, said '[]')
    assert.same({}, said '{"message":null}')
    assert.same({}, said '{"message":{"text":"deep"}}')
    assert.same({ "a text" }, said '"a text"')
    assert.same({}, said '17')
  end)
end)

describe("problem.says_error", function()
  local function says(text)
    return problem.says_error(json.decode(text))
  end

  it("believes members that are named like errors", function()
    for _, text in ipairs { '{"error":"x"}', '{"errors":[{"message":"x"}]}', '{"errcode":40001}', '{"ok":false}',
      '{"ok":0}', '{"success":"false"}', '{"status":"error"}', '{"Error":{"Code":"AccessDenied"}}',
      '{"error_code":"17"}', '{"isSuccess":false}', '{"fault":{"code":1}}', '{"errmsg":"no"}',
      '{"response":{"ok":false}}' } do
      assert.is_true(says(text), text)
    end
  end)

  it("believes none that says that all is well", function()
    for _, text in ipairs { '{"error":null}', '{"errors":[]}', '{"error":{}}', '{"errcode":0,"errmsg":"whatever"}',
      '{"ok":true}', '{"ok":1}', '{"success":"true"}', '{"status":"success"}', '{"error":false}', '{"errorCode":""}',
      '{"errmsg":"ok"}', '{"error":{"code":0,"message":"no error"}}', '{"data":[],"message":"2 users"}', '[]', '{}',
      '"x"', '{"ok":true,"errmsg":"a note"}', '{"error":"0"}' } do
      assert.is_false(says(text), text)
    end
  end)

  it("is not content with less where there is no list of users at all", function()
    local function instead(text)
      return problem.says_error_instead(json.decode(text), text)
    end
    assert.is_true(instead '{"message":"not today"}')
    assert.is_true(instead '{"code":7}')
    assert.is_true(instead '{"result":{"someError":"x"}}')
    assert.is_true(instead '{"__type":"ThrottlingException"}')
    assert.is_true(instead '[1]')
    assert.is_true(instead '"nothing"')
    assert.is_false(instead '{"code":0,"message":"success"}')
    assert.is_false(instead '{"code":200}')
    assert.is_false(instead '{"next":null}')
    assert.is_false(instead '{"a":{"b":{"someError":"too deep"}}}')
  end)
end)

describe("a body that is no document", function()
  it("is told by its first line, or by its title", function()
    assert.equal("upstream is gone", problem.first_line "\r\n  upstream is gone\nand more")
    assert.is_nil(problem.first_line " \n ")
    assert.equal("502 Bad Gateway", problem.title "<html><HEAD><Title> 502 Bad Gateway</title>")
    assert.is_nil(problem.title "<html><title></title>")
  end)
end)
