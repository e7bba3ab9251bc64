"""Formulas: found, typeset, cached, refused with their line, and put into pages without a trace of Markdown."""

from __future__ import annotations

import json
import re
import unicodedata
from pathlib import Path

import markdown
import pytest
from handbook import mathematics, typesetting
from handbook.problems import HandbookError

HARD = r"""
f(x) = \begin{cases} x & \text{if } x > 0 \\ 0 & \text{otherwise} \end{cases}
\begin{aligned} a &= b + c \\ &= d \end{aligned}
\begin{align*} a &= b \\ c &= d \end{align*}
\begin{gather*} a = b \\ c = d + e \end{gather*}
\begin{split} a &= b \\ &\quad + c \end{split}
\begin{multline*} a + b + c \\ + d + e \end{multline*}
\left[\begin{array}{c|cc} 1 & 2 & 3 \\ \hline 4 & 5 & 6 \end{array}\right]
\begin{array}{|r|l|} \hline a & b \\ \hline \end{array}
\begin{pmatrix} a & b \\ c & d \end{pmatrix}
\begin{bmatrix} 1 & \cdots & 0 \\ \vdots & \ddots & \vdots \\ 0 & \cdots & 1 \end{bmatrix}
\begin{vmatrix} a & b \\ c & d \end{vmatrix} \begin{Bmatrix} a \\ b \end{Bmatrix}
\left(\begin{smallmatrix} a & b \\ c & d \end{smallmatrix}\right)
\operatorname*{arg\,max}_{\theta \in \Theta} \log p(x \mid \theta)
\operatorname{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V
\underbrace{2\Psi}_{\text{weights}} + \overbrace{12\Psi}^{\text{optimizer}}
\sum_{\substack{1 \le i \le n \\ i \ne j}} x_i
E = mc^2 \tag{1}
\nabla \cdot \mathbf{E} = \frac{\rho}{\varepsilon_0} \tag*{Gauss}
\left\lVert x - y \right\rVert_2^2
\left\lvert \frac{a}{b} \right\rvert
\mathbb{1}[y = k]
\mathbb{E}_{x \sim p}\,[f(x)], \quad \mathbb{R}^{n \times m}
\text{批量大小 } B = 32
\text{rate } \eta_t \text{ at step $t$}
\hat{y} \tilde{x} \bar{z} \vec{v} \dot{q} \ddot{q} \check{c} \acute{a}
\widehat{xyz} \widetilde{abc} \overline{AB} \underline{CD} \overrightarrow{AB}
\mathcal{L}, \mathcal{O}(n \log n), \mathscr{F}, \mathfrak{g}
\mathbf{W}, \boldsymbol{\theta}, \mathsf{KV}, \mathtt{float16}, \mathrm{d}x, \mathit{abc}
\frac{\partial^2 f}{\partial x \, \partial y}
\dfrac{1}{2} + \tfrac{1}{2} + \cfrac{1}{1 + \cfrac{1}{2}}
\binom{n}{k} = \frac{n!}{k!\,(n-k)!}
\sqrt[3]{\frac{a}{b}} + \sqrt{\sqrt{x}}
\int_{-\infty}^{\infty} e^{-x^2}\,\mathrm{d}x = \sqrt{\pi}
\iint_D \oint_{\partial D} \prod_{i=1}^{n} \bigcup_{i} \bigoplus_{j}
\lim_{n \to \infty} \left(1 + \frac{1}{n}\right)^n
\left\lfloor \frac{H + 2p - k}{s} \right\rfloor + 1
\left\lceil \frac{n}{32} \right\rceil \cdot 32
\left. \frac{\partial L}{\partial w} \right|_{w = w_0}
\left\langle q, k \right\rangle
\left\{ x \in \mathbb{R} \,\middle|\, x > 0 \right\}
\bigl( \Bigl( \biggl( \Biggl( x \Biggr) \biggr) \Bigr) \bigr)
a \equiv b \pmod{32} \quad a \bmod b
p(y \mid x) \propto p(x \mid y)\, p(y)
X \perp\!\!\!\perp Y \mid Z
A \xrightarrow{\text{all-reduce}} B \xleftarrow[n]{} C
x \coloneqq y
\cancel{x} + \bcancel{y} + \xcancel{z}
\boxed{\sigma(z) = \frac{1}{1 + e^{-z}}}
\overset{!}{=} \underset{x}{\min} \stackrel{\mathrm{def}}{=}
x \in S \subseteq T,\ \forall \epsilon > 0\ \exists \delta,\ \emptyset
a \le b \ge c \ne d \approx e \ll f \gg g \sim h \lesssim i
A \odot B \otimes C \oplus D \ast E \star F \circ G
\alpha \beta \gamma \delta \epsilon \varepsilon \zeta \eta \theta \vartheta \kappa \lambda \mu \nu \xi
\Gamma \Delta \Theta \Lambda \Xi \Pi \Sigma \Upsilon \Phi \Psi \Omega
\leftarrow \Rightarrow \iff \mapsto \hookrightarrow \rightleftharpoons
10^{-3}\,\mathrm{s} \quad 3.35\ \mathrm{TB/s} \quad 50\,\% \quad 25^\circ
\ln x + \log_2 n + \exp(-x) + \max(0, x) + \tanh x + \det A + \Pr(X)
{}_{a}^{b}X_{c}^{d} \quad \sideset{_a^b}{_c^d}\sum
x' + x'' + f^{\prime}
\phantom{0}5 + \hphantom{x} + \vphantom{\frac{1}{2}} + \smash{y}
\rule{2em}{0.5pt} \kern 1em \hspace{1em} \quad \qquad \, \: \; \!
\textstyle\sum_{i} \displaystyle\sum_{i} \scriptstyle x
\texttt{\_\_syncthreads()} \textbf{bold} \textit{italic}
\begin{aligned}[t] a &= b \end{aligned} \begin{gathered} x \\ y \end{gathered}
\begin{dcases} \frac{1}{2} & x \\ 0 & y \end{dcases} \begin{matrix*}[r] -1 \\ 10 \end{matrix*}
\mathrm{KL}\left(p \,\middle\|\, q\right) = \sum_x p(x) \log \frac{p(x)}{q(x)}
a < b > c \And d \quad \# \$ \_ \{ \}
\nabla_\theta J(\theta) \approx \hat{A}_t \nabla_\theta \log \pi_\theta(a_t \mid s_t)
\lvert x \rvert, \lVert x \rVert, \langle x \rangle, \lfloor x \rfloor
\therefore \because \ldots \cdots \vdots \ddots \dots \ell \hbar \Re \Im \aleph \infty
""".strip().splitlines()


# In the text these break the line; displayed they may.
FORCED = [r"\\ a", r"a \\ b", r"{a \\ b}", r"a \newline b", r"\text{a \\ b}"]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory, monkeypatch) -> None:
    monkeypatch.setattr(typesetting, "CACHE", tmp_path_factory.getbasetemp() / "mathematics")


@pytest.fixture
def runs(monkeypatch) -> list:
    """What Node is asked for, as it is asked."""
    asked = []
    real = typesetting.node

    def node(*arguments, **settings):
        asked.append(json.loads(settings["input"])["formulas"])
        return real(*arguments, **settings)

    monkeypatch.setattr(typesetting, "node", node)
    return asked


def render(text: str) -> str:
    names = ["tables", "toc", "footnotes", "attr_list", "md_in_html", "pymdownx.superfences"]
    return markdown.markdown(text, extensions=[*names, "handbook.mathematics"])


def tex(page: str) -> list[str]:
    return [formula for formula, _ in sorted(typesetting.shown(page))]


def outline(page: str) -> str:
    """A page with each formula as its TeX in angles."""
    return re.sub(r'<mjx-container data-tex="(.*?)".*?</mjx-container>', r"‹\1›", page, flags=re.S)


def test_hard_constructs_are_typeset():
    assert len(HARD) >= 60
    done, refused = typesetting.typeset([(formula, display) for formula in HARD for display in (True, False)])
    assert refused == {}
    for markup in done.values():
        assert 'aria-hidden="true"' in markup and "<math" in markup
        assert "merror" not in markup and "NaN" not in markup


@pytest.mark.parametrize(
    "tex, parts",
    [
        (r"P(-\mid\text{healthy})", 1),
        (r"(Ax + A^\top x)", 1),
        (r"(1-y_k)\ln(1-p_k)", 1),
        (r"x = y - 1", 1),  # short
        (r"\left(a+b\right)+c+d+e", 4),
        (r"x_1+x_2+x_3=-1", 2),
        (r"99\,\%", 1),
        (r"a,\quad b", 2),
        (r"aa+bb=cc-(dd+ee)", 2),
        (
            r"E[\log p(x_1) + \log p(x_2) + \log p(x_3) + \log p(x_4)]",
            4,
        ),  # wider than a phone: breaks within, but not twice
    ],
)
def test_a_formula_in_the_text_breaks_outside_of_parentheses(tex, parts):
    done, _ = typesetting.typeset([(tex, False)])
    assert len(done[tex, False].split("<mjx-break")) == parts


@pytest.mark.parametrize(
    "tex, lines",
    [
        (r"k=3,\ s=2,\ p=0,\ d=1", "k=3,/s=2,/p=0,/d=1"),  # not within an equation of a list
        (r"k=3,s=2,p=0,d=1", "k=3,/s=2,/p=0,/d=1"),
        (r"k=3,\;s=2,\;p=0,\;d=1", "k=3,/s=2,/p=0,/d=1"),
        (r"f(x,y)=a_1b_1c_1d_1,\ n=65{,}536", "f(x,y)/=a1b1c1d1,/n=65,536"),
        (r"d_1=16,8,4,2,1,\ldots", "d1=16,8,4,2,1,…"),
        (r"I=2mn/((m+n)s)", "I=2mn/((m+n)s)"),  # a left side of one letter stays with its relation
        (r"F_{1,k}=2m_{kk}/(r_k+s_k)", "F1,k=2mkk/(rk+sk)"),
        (r"(a,b)\oplus(c,d)=(a\vee c,c?d:b+d)", "(a,b)⊕(c,d)/=(a∨c,c?d:b+d)"),
        (r"L_k=GG^\top=U\Sigma^2U^\top", "Lk=GG⊤/=UΣ2U⊤"),
        (r"w\cdot(Jv)=(J^\top w)\cdot v", "w⋅(Jv)/=(J⊤w)⋅v"),  # before relations and not before other operators
        (r"aaaa+bbbb+cccc+dddd", "aaaa/+bbbb/+cccc/+dddd"),
        (r"y=aaaaaaaaaa+bbbbbbbbbb+cccccccccc=x+z", "y=aaaaaaaaaa/+bbbbbbbbbb/+cccccccccc/=x+z"),  # but where too long
    ],
)
def test_where_a_formula_in_the_text_breaks(tex, lines):
    done, _ = typesetting.typeset([(tex, False)])
    drawn = done[tex, False].split("<mjx-assistive-mml")[0]
    parts = [unicodedata.normalize("NFKC", re.sub("<[^>]*>", "", "<" + part)) for part in drawn.split("<mjx-break")]
    assert "/".join(part.strip() for part in parts) == lines.replace("…", "...")
    assert "<mjx-break" not in drawn or not re.search(
        "</mjx-break><mjx-(mspace|mtext)", drawn
    )  # no line begins with a blank


@pytest.mark.parametrize(
    "tex, parts",
    [
        (r"y=sx+t", "[y][=sx+t]"),
        (r"x", "x"),
        (r"a=b,\qquad c=d", "[[a][=b,]] [[c][=d]]"),
        (r"a=b,\quad c=d,\qquad e", "[[[a][=b,]] [[c][=d,]]] [e]"),
        (r"f=0\quad\Rightarrow\quad g=1", "[[f][=0]] [[⇒g][=1]]"),
        (r"(1-p)^2=q", "[(1-p)2][=q]"),
        (r"\big(a=b\big)^2=c", "[(a=b)2][=c]"),
        (r"|a=b|=\|c\|", "[|a=b|][=‖c‖]"),
        (r"K(p\|q)\ge0", "[K(p‖q)][≥0]"),
        (r"f(x \qquad y)", "f(xy)"),
        (r"a=-b+c+d+e+f+g+h+i+j", "[a=-b][+c][+d][+e][+f][+g][+h][+i][+j]"),
        (r"{}=x", "[][=x]"),
        (r"a=b\iff c=d", "[[a][=b]][[⟺c][=d]]"),  # before an arrow rather than within what it joins
        (
            rf"a={'b' * 16}+{'c' * 16}",
            f"[a={'b' * 16}][+{'c' * 16}]",
        ),  # a short left side stays with what fits its line
        (rf"f(x)={'b' * 60}", f"f(x)={'b' * 60}"),  # and with what fits no phone's
        (rf"f(x)={'b' * 40}", f"[f(x)][={'b' * 40}]"),  # but not with what fits the next line
        (rf"a+b={'b' * 16}+{'c' * 16}", f"[a+b][[={'b' * 16}][+{'c' * 16}]]"),
    ],
)
def test_a_displayed_formula_is_cut_into_parts_that_may_take_a_line_each(tex, parts):
    done, _ = typesetting.typeset([(tex, True)])
    drawn = done[tex, True].split("<mjx-assistive-mml")[0]
    marked = drawn.replace("<mjx-part>", "[").replace("</mjx-part>", "]")
    text = unicodedata.normalize("NFKC", re.sub("<[^>]*>", "", marked)).replace("−", "-")
    assert text == parts
    assert (" parts=" in drawn) == ("[" in parts)  # for which the style sheet lets it take lines


def test_a_formula_in_the_text_that_breaks_its_line_is_told_with_its_line(tmp_path):
    (tmp_path / "docs").mkdir()
    (tmp_path / "notebooks").mkdir()
    for formula in FORCED:
        (tmp_path / "docs/a.md").write_text(f"One.\n\nTwo ${formula}$.\n\n$$\n{formula}\n$$\n")
        (problem,) = mathematics.prepare(tmp_path)
        assert (problem.file, problem.line) == ("docs/a.md", 3) and formula in problem.what
    inside = r"\substack{a \\ b}", r"\begin{cases} a \\ b \end{cases}", r"\begin{aligned} a \\ b \end{aligned}"
    (tmp_path / "docs/a.md").write_text(" ".join(f"${formula}$" for formula in inside))
    assert mathematics.prepare(tmp_path) == []


def test_every_glyph_has_its_rule_and_its_font():
    done, _ = typesetting.typeset([(formula, True) for formula in HARD])
    sheet = typesetting.stylesheet("".join(done.values()))
    for font, characters in typesetting.glyphs("".join(done.values())).items():
        assert f"font-family: {font};" in sheet
        assert characters
    for classes in set(re.findall(r'<mjx-c class="(mjx-c[^"]*)"', "".join(done.values()))):
        assert f"mjx-c.{'.'.join(classes.split())}" in sheet, classes


def test_the_style_sheet_holds_only_what_the_page_shows():
    small, _ = typesetting.typeset([("x", False)])
    large, _ = typesetting.typeset([(formula, True) for formula in HARD])
    one, all_of_them = (typesetting.stylesheet("".join(some.values())) for some in (small, large))
    assert len(one) < 25_000 < len(all_of_them) < 150_000
    assert one.count("@font-face") == 3  # the glyphs' own, and the two that measure lines and blanks


def test_output_does_not_depend_on_order_or_company(tmp_path, monkeypatch):
    chosen = [(formula, True) for formula in HARD[:12]]
    monkeypatch.setattr(typesetting, "CACHE", tmp_path / "one")
    forward, _ = typesetting.typeset(chosen)
    sheet = typesetting.stylesheet("".join(forward.values()))
    monkeypatch.setattr(typesetting, "CACHE", tmp_path / "two")
    typesetting.typeset([(HARD[-1], True), (HARD[26], True)])
    backward, _ = typesetting.typeset(chosen[::-1])
    assert backward == forward
    assert typesetting.stylesheet("".join(forward.values())) == sheet


def test_a_formula_is_typeset_once(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(typesetting, "CACHE", tmp_path)
    first = render("$a_1$ and $a_1$ and $b_2$")
    assert runs == [[["a_1", False], ["b_2", False]]]
    assert render("$a_1$ and $a_1$ and $b_2$") == first
    assert len(runs) == 1
    render("$a_1$ and $c_3$")
    assert runs[1:] == [[["c_3", False]]]


def test_other_macros_mean_another_cache(runs, tmp_path, monkeypatch):
    monkeypatch.setattr(typesetting, "CACHE", tmp_path)
    monkeypatch.setattr(typesetting, "MACROS", {"R": r"\mathbb{R}"})
    assert "ℝ" in render(r"$\R$")
    monkeypatch.setattr(typesetting, "MACROS", {})
    with pytest.raises(HandbookError, match="Undefined control sequence"):
        render(r"$\R$")


@pytest.mark.parametrize(
    "text",
    [
        "It costs $5 and $6 an hour.",
        "Between $5/h and $6/h, or \\$7 and \\$8.",
        "`$x$` and ``a `$y$` b``",
        "```python\nprice = '$x$'\n```",
        "> ```text\n> $$ a $$\n> ```",
        "A $ by itself, and $ another.",
        "<!-- $x$ -->",
    ],
)
def test_dollars_that_are_no_formulas(text):
    assert "mjx" not in render(text)


def test_markdown_does_not_touch_formulas():
    page = render(r"$a_1 * b_2 * c$, $i<n>j$, $\{x\}$, $\\$ [$N$ bytes](x.md) *$y_1$* $p(x|y)$")
    assert outline(page) == (
        "<p>‹a_1 * b_2 * c›, ‹i&#60;n&#62;j›, ‹\\{x\\}›, ‹\\\\› "
        '<a href="x.md">‹N› bytes</a> <em>‹y_1›</em> ‹p(x|y)›</p>'
    )


def test_a_formula_that_is_only_a_number_is_text():
    page = render("From $16$ to $65{,}536$ at $-0.5$, but $2n$, $2^{16}$ and\n\n$$\n16\n$$\n")
    assert "<p>From 16 to 65,536 at −0.5, but <mjx" in page
    assert tex(page) == ["16", "2^{16}", "2n"]
    assert mathematics.typeset_html("<p>$16$ of $n$</p>", "x").startswith("<p>16 of <mjx")


def test_display_on_lines_of_its_own_in_lists_quotes_and_tables():
    page = render(
        "- a\n\n    $$\n    x\n    = y\n    $$\n\n> b\n> $$\n> p % why\n> > q\n> $$\n\n| t |\n| - |\n| $z$ |\n\n$$\n\\begin{aligned}\na\n\n> b\n- c\n\\end{aligned}\n$$"
    )
    assert set(tex(page)) == {"x = y", "p > q", "z", r"\begin{aligned} a > b - c \end{aligned}"}
    assert len(re.findall('<mjx-container [^>]*display="true"', page)) == 3


def test_formulas_as_text_where_no_html_can_stand():
    reader = markdown.Markdown(extensions=["toc", "attr_list", "handbook.mathematics"])
    page = reader.convert("## Why divide by $\\sqrt{d_k}$, $a < b$? { #why }\n\n![Cost against $N^2$](x.png)")
    assert reader.toc_tokens[0]["name"] == "Why divide by √(d_k), a&lt;b?"
    reader.convert("## Keys, $2^{20}$, and `a^2`")
    assert reader.toc_tokens[0]["name"] == "Keys, 2²⁰, and a^2"
    assert '<h2 id="why">' in page
    assert 'alt="Cost against N^2"' in page


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (r"\frac{a+b}{2}", "(a+b)/2"),
        (r"x_i^2", "x_i^2"),
        (r"\sum_{i=1}^n x_i", "∑_(i=1)^nx_i"),
        (r"O(n \log n)", "O(n log n)"),
        (r"\frac{\ln a}{b_{\max}}", "(ln a)/(b_max)"),
    ],
)
def test_plain_text(source, text):
    done, _ = typesetting.typeset([(source, False)])
    assert mathematics.plain(done[source, False]) == text


def book(root: Path, chapter: str, cell: str = "$x$") -> Path:
    (root / "docs/cv").mkdir(parents=True)
    (root / "notebooks/cv").mkdir(parents=True)
    (root / "docs/cv/chapter.md").write_text(chapter)
    content = {"nbformat": 4, "nbformat_minor": 5, "metadata": {}}
    content["cells"] = [{"cell_type": "markdown", "id": "a", "metadata": {}, "source": cell.splitlines(True)}]
    (root / "notebooks/cv/book.ipynb").write_text(json.dumps(content, indent=1))
    return root


def test_the_book_is_typeset_in_one_run(tmp_path, runs, monkeypatch):
    monkeypatch.setattr(typesetting, "CACHE", tmp_path / "cache")
    root = book(tmp_path, "# T\n\n$a$ and\n\n$$\nb\n$$\n", "$c$ and $a$")
    assert mathematics.prepare(root) == []
    assert mathematics.prepare(root) == []
    assert runs == [[["a", False], ["b", True], ["c", False]]]


def test_refused_formulas_are_told_with_file_and_line(tmp_path):
    root = book(tmp_path, "# T\n\n$a$\n\n$\\foo$ and\n$\\frac{a$\n", "# T\n\n$\\left( x$")
    chapter, again, notebook = mathematics.prepare(root)
    assert (chapter.file, chapter.line) == ("docs/cv/chapter.md", 5)
    assert r"$\foo$: Undefined control sequence \foo" in chapter.what
    assert (again.line, notebook.file) == (6, "notebooks/cv/book.ipynb")
    line = (root / notebook.file).read_text().splitlines()[notebook.line - 1]
    assert r"\\left( x" in line


def test_a_page_with_a_refused_formula_is_not_rendered():
    with pytest.raises(HandbookError, match=r":3: MathJax cannot read \$\\foo\$: Undefined control sequence"):
        render("a\n\nb $\\foo$")


@pytest.mark.parametrize("text", ["a $ b", "US$ 5", "$ x $", "a $x", "| $p(x|y)$ |"])
def test_stray_dollars_and_bars_are_told(text):
    (problem,) = mathematics.check("# T\n\n" + text, "f.md")
    assert problem.line == 3


@pytest.mark.parametrize("text", ["costs $5 and $6", "\\$", "`$`", "$x$", "| $p(x \\mid y)$ |", "$p(x|y)$"])
def test_good_dollars_and_bars_are_not_told(text):
    assert mathematics.check(text, "f.md") == ()


def test_notebook_pages():
    page = (
        '<p title="$t$">a $x &lt; y$ costs $5 and $6</p><pre>$b$</pre><code>$c$</code>'
        "<p>$$\n\\begin{aligned} a &amp;= b \\\\ &amp;= c \\end{aligned}\n$$</p>"
        "<svg><!-- $\\mathdefault{10}$ --><text>$d$</text></svg><script>'$e$'</script>"
    )
    done = mathematics.typeset_html(page, "notebooks/cv/book.ipynb")
    assert set(tex(done)) == {"x < y", r"\begin{aligned} a &= b \\ &= c \end{aligned}"}
    assert mathematics.typeset_html(done, "notebooks/cv/book.ipynb") == done
    with pytest.raises(HandbookError, match="notebooks/cv/book.ipynb"):
        mathematics.typeset_html("<p>$\\foo$</p>", "notebooks/cv/book.ipynb")


def test_assets_of_a_site_come_from_its_pages_alone(tmp_path):
    (tmp_path / "assets/css").mkdir(parents=True)
    (tmp_path / "index.html").write_text(render("$\\mathbb{R}$ and $$x$$"))
    mathematics.write_assets(tmp_path)
    sheet = (tmp_path / "assets/css/mathjax.css").read_text()
    assert "font-family: MJX-NCM-DS;" in sheet and "mjx-c1D465" in sheet
    assert "MJX-NCM-C;" not in sheet
    assert sheet.rstrip().endswith("}")


def test_formulas_that_are_all_of_a_link_or_a_header_have_names():
    def names(markup):
        return re.findall(r'<math aria-label="([^"]*)"', markup)

    text = "| $x^2$ | a $y$ |\n| --- | --- |\n| [$\\ln C$](#c) | [the $k$](#k) |\n\n[$a$ $b$](#ab)"
    assert names(markdown.markdown(text, extensions=["tables", "handbook.mathematics"])) == ["x^2", "ln C", "a", "b"]
    cell = '<th style="a">$a &lt; b$</th><td><a href="#b">$b$</a>, <a>$c$ d</a></td>'
    assert names(mathematics.typeset_html(cell, "x.ipynb")) == ["a&lt;b", "b"]


def test_a_caption_is_spoken_without_marks():
    assert mathematics.spoken("The *cost* of $O(n^2)$ [steps](x.md)") == "The cost of O(n^2) steps"
