"""The figures as a table and as JSON."""

import json


class Report:
    """Collects figures, and prints each as it is added."""

    def __init__(self, machine, smoke):
        self.machine = machine
        self.smoke = smoke
        self.figures = []

    def add(self, figure, services, value, unit, against=None, limit=None, goal=None):
        """Adds a figure for a number of services or a layout: `value` in `unit`, beside `limit`, the value of `against`
        in the same run. The goal applies to their ratio, or to the value if there is no limit."""
        ratio = value / limit if limit else None
        self.figures.append({
            "figure": figure,
            "services": services,
            "value": value,
            "unit": unit,
            "against": against,
            "limit": limit,
            "ratio": ratio,
            "goal": goal,
            "revision": self.machine["revision"],
        })
        print(self.row(self.figures[-1]), flush=True)

    @staticmethod
    def row(figure):
        against = f"{figure['against']}: {number(figure['limit'])}" if figure["limit"] else ""
        ratio = number(figure["ratio"]) if figure["ratio"] is not None else ""
        value = f"{number(figure['value'])} {figure['unit']}"
        services = figure["services"] or ""
        services = f"{services:,}" if isinstance(services, int) else services
        return f"| {figure['figure']} | {services} | {value} | {against} | {ratio} | {figure['goal'] or ''} |"

    def write(self, folder, name):
        """Writes both files. Older figures that were not measured in this run stay, with their revision.

        A smoke run writes nothing, since its figures mean nothing.
        """
        if self.smoke:
            return
        folder.mkdir(exist_ok=True)
        file = folder / f"{name}.json"
        figures = {key(figure): figure for figure in (json.loads(file.read_text())["figures"] if file.exists() else [])}
        figures.update((key(figure), figure) for figure in self.figures)
        figures = list(figures.values())
        data = {"machine": self.machine, "figures": figures}
        file.write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        about = "\n".join(f"- {name}: {value}" for name, value in self.machine.items())
        head = "| figure | services | value | beside | ratio | goal | revision |\n" + "| --- " * 7 + "|\n"
        rows = "\n".join(f"{self.row(figure)} {figure['revision']} |" for figure in figures)
        (folder / f"{name}.md").write_text(f"{about}\n\n{head}{rows}\n")


def key(figure):
    """Returns the identity of a figure."""
    return figure["figure"], figure["services"], figure["against"]


def number(value):
    """Returns a number with three significant digits."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
