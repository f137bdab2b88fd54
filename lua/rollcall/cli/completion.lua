-- The scripts that complete the command in shells: argparse's, so that each also works by eval.

local completion = {}

-- A function of $fpath runs its file when it is called first; what is evaluated is registered instead.
local ZSH_END = [=[
if [[ $funcstack[1] == _rollcall ]]; then
  _rollcall "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit }
  compdef _rollcall rollcall
fi
]=]

---@param root table argparse's parser of the whole command
---@param shell "bash"|"zsh"|"fish"
---@return string
function completion.script(root, shell)
  local script = root["get_" .. shell .. "_complete"](root)
  if shell == "zsh" then
    script = script:gsub("\n_rollcall%s*$", function()
      return "\n" .. ZSH_END
    end)
  end
  return script
end

return completion
