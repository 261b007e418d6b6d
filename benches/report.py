"""The figures as a table and as JSON."""

import json


class Report:
    """Collects figures, and shows each when it is there."""

    def __init__(self, machine, smoke):
        self.machine = machine
        self.smoke = smoke
        self.figures = []

    def add(self, figure, services, value, unit, against=None, limit=None, goal=None):
        """Adds a figure of so many services, or of a layout: `value` in `unit`, beside `limit`, what `against` took in
        the same run, and the goal for their ratio, or for the value itself where there is no limit."""
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

    def table(self):
        head = "| figure | services | value | beside | ratio | goal |\n| --- | --- | --- | --- | --- | --- |\n"
        return head + "\n".join(self.row(figure) for figure in self.figures) + "\n"

    def write(self, folder, name):
        """Writes both files; a smoke run leaves none, since its figures mean nothing."""
        if self.smoke:
            return
        folder.mkdir(exist_ok=True)
        data = {"machine": self.machine, "figures": self.figures}
        (folder / f"{name}.json").write_text(json.dumps(data, indent=1, ensure_ascii=False) + "\n")
        about = "\n".join(f"- {key}: {value}" for key, value in self.machine.items())
        (folder / f"{name}.md").write_text(f"{about}\n\n{self.table()}")


def number(value):
    """Returns a number with three digits that count."""
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
