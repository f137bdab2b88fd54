-- What `rollcall completion` prints, in the shells that are here.

local check = require "spec.support.check"
local command = require "spec.support.command"

local directory

--- The path of a shell; nil where there is none.
local function find(shell)
  return (command.shell("command -v " .. shell)):match "^(/[^\n]*)\n$"
end

--- A file with a shell's completion.
local function script(shell)
  local output, errors, status = command.run { "completion", shell }
  assert.equal("", errors)
  assert.equal(0, status)
  local name = directory .. "/_rollcall"
  command.write(name, output)
  return name
end

--- What a shell prints, which complains of nothing.
local function run(shell, text)
  local name = directory .. "/script"
  command.write(name, text)
  local output, errors, status = command.shell("timeout 60 " .. shell .. " " .. name)
  assert.equal("", errors)
  assert.equal(0, status)
  return output
end

setup(function()
  directory = os.tmpname()
  os.remove(directory)
  assert(os.execute("mkdir " .. directory))
end)
teardown(function()
  os.execute("rm -rf " .. directory)
end)

describe("completion", function()
  it("in bash knows commands, options and their values", function()
    local output = run("bash", ([[
      eval "$(cat %s)"
      complete -p rollcall
      try() { COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); COMPREPLY=(); _rollcall; echo "$* -> ${COMPREPLY[*]}"; }
      try rollcall re
      try rollcall users --format ""
      try rollcall review --fa
      try rollcall review --list n
      try rollcall review --fail-on ""
      try rollcall completion ""
      try rollcall completion z
      try rollcall completion --he
    ]]):format(script "bash"))
    check.contains(output, "complete -o bashdefault -o default -F _rollcall rollcall\n", "rollcall re -> review\n",
      "--format  -> table csv ndjson json\n", "--fa -> --fail-on\n", "--list n -> no-mfa never-came\n",
      "--fail-on  -> no-mfa stale never-came admin all\n", "completion  -> bash zsh fish\n", "completion z -> zsh\n",
      "completion --he -> --help")
  end)

  it("in fish knows commands, options and their values", function()
    if not find "fish" then
      pending "there is no fish here"
      return
    end
    local output = run("env HOME=" .. directory .. " fish -N", ([[
      cat %s | source
      complete -C "rollcall re"
      complete -C "rollcall users --format "
      complete -C "rollcall review --fa"
    ]]):format(script "fish"))
    check.contains(output, "review\t", "\nndjson\t", "\n--fail-on\t")
  end)

  it("in zsh is registered by eval, with and without compinit before, and by $fpath", function()
    if not find "zsh" then
      pending "there is no zsh here"
      return
    end
    local name = script "zsh"
    for _, text in ipairs {
      'eval "$(cat %s)"',
      'autoload -Uz compinit; compinit -u -D; eval "$(cat %s)"',
      "fpath=(%s(:h) $fpath); autoload -Uz compinit; compinit -u -D",
    } do
      local output = run("env HOME=" .. directory .. " zsh -f", text:format(name) .. "; print -r -- $_comps[rollcall]")
      assert.equal("_rollcall\n", output)
    end
  end)

  it("in zsh completes what is typed", function()
    if not find "zsh" or not command.has_terminals() then
      pending "there is no zsh here, or no pseudo terminal"
      return
    end
    for _, start in ipairs { 'eval "$(cat %s)"', "fpath=(%s(:h) $fpath); autoload -Uz compinit; compinit -u -D" } do
      local output = run("env TERM=xterm HOME=" .. directory .. " zsh -f", ([[
        zmodload zsh/zpty
        zpty shell zsh -f -i
        zpty -w shell '%s; print rea''dy'
        zpty -r shell shown '*ready*'
        zpty -w -n shell $'rollcall review --fa\t'
        zpty -r shell shown '*--fail-on*'
        print -r -- "$shown"
        zpty -d shell
      ]]):format(start:format(script "zsh")))
      check.contains(output, "--fail-on")
    end
  end)
end)
