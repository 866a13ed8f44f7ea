"""How the page of a noise gallery looks."""

CELL = 260  # pixels across a picture
VIEWS = ("clean", "noisy", "difference")
STYLE = (
    """
body { width: max-content; min-width: 100%; }
header { position: sticky; top: 0; z-index: 3; background: #fff;
  border-bottom: 1px solid var(--line); }
.bar { display: flex; flex-wrap: wrap; align-items: center; gap: 4px 20px; padding: 8px 20px; }
.bar, .text { position: sticky; left: 0; width: fit-content; max-width: calc(100vw - 20px); }
.text { left: 20px; max-width: calc(100vw - 60px); }
h1 { font-size: 17px; line-height: 1.25; margin: 0; }
.views { display: inline-flex; gap: 2px; padding: 2px; border-radius: 8px; background: #eceef2; }
.views label { padding: 3px 14px; border-radius: 6px; cursor: pointer; }
input.view { position: fixed; top: 0; left: 0; opacity: 0; pointer-events: none; }
input.view:focus-visible ~ header .views { outline: 2px solid var(--accent); }
main { padding: 12px 20px 30px; }
table { border-collapse: separate; border-spacing: 10px 14px; margin-left: -10px; }
th { text-align: left; vertical-align: bottom; font-weight: 600; width: CELLpx; }
th code { display: block; font-weight: 400; color: var(--faint); overflow-wrap: anywhere;
  font-size: 11.5px; line-height: 1.3; }
th small, figcaption { font-weight: 400; font-size: 12.5px; color: var(--faint); }
th .missed { display: block; color: #b3261e; font-weight: 600; }
td { vertical-align: top; }
@media (min-width: 700px) {
  tr > :first-child { position: sticky; left: 0; z-index: 1; background: #fff; }
}
figure { margin: 0; }
img, .picture { display: block; width: CELLpx; image-rendering: pixelated; border-radius: 3px; }
.legend { display: flex; flex-wrap: wrap; gap: 3px 14px; margin-bottom: 8px; font-size: 13px;
  max-height: 132px; overflow: auto; }
.legend i { display: inline-block; width: 13px; height: 13px; border-radius: 3px;
  border: 1px solid #0003; vertical-align: -2px; margin-right: 5px; }
.clean, .noisy, .difference { display: none; }
""".replace("CELL", str(CELL))
    + "\n".join(
        f"#view-{view}:checked ~ main .{view} {{ display: block; }}\n"
        f"#view-{view}:checked ~ header label[for=view-{view}] "
        "{ background: #fff; box-shadow: 0 1px 3px #0003; font-weight: 600; }"
        for view in VIEWS
    )
)
