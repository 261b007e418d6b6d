// Checks the dashboard against Grafana's types, and that a dashboard which does not fit them is refused.
//
//   node tests/node/dashboard.mjs

import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const read = () => JSON.parse(readFileSync(join(here, '../../dashboards/openstack-heartbeat.json'), 'utf8'));

const panel = (dashboard, type) => dashboard.panels.find((panel) => panel.type === type);

// Each change makes a dashboard that Grafana would not understand.
const changes = {
    unknownKey: (d) => (d.panells = []),
    noSchemaVersion: (d) => delete d.schemaVersion,
    cursor: (d) => (d.graphTooltip = 7),
    variableType: (d) => (d.templating.list[1].type = 'querry'),
    variableRefresh: (d) => (d.templating.list[1].refresh = 3),
    linkType: (d) => (d.links[0].type = 'url'),
    annotation: (d) => delete d.annotations.list[0].iconColor,
    panelType: (d) => (panel(d, 'stat').type = 'singlestat'),
    panelKey: (d) => (panel(d, 'stat').descriptoin = ''),
    place: (d) => (panel(d, 'stat').gridPos.w = '4'),
    targetKey: (d) => (panel(d, 'stat').targets[0].query = 'up'),
    targetFormat: (d) => (panel(d, 'table').targets[0].format = 'tables'),
    unit: (d) => (panel(d, 'timeseries').fieldConfig.defaults.unit = 'seconds'),
    unitOfOverride: (d) => panel(d, 'table').fieldConfig.overrides[0].properties.push({ id: 'unit', value: 'sec' }),
    threshold: (d) => (panel(d, 'stat').fieldConfig.defaults.thresholds.steps[0].value = '1'),
    mapping: (d) => (panel(d, 'stat').fieldConfig.defaults.mappings[0].type = 'values'),
    statOptions: (d) => (panel(d, 'stat').options.colorMode = 'backgrounds'),
    tableOptions: (d) => (panel(d, 'table').options.sortBy[0].ascending = true),
    seriesOptions: (d) => (panel(d, 'timeseries').options.legend.displayMode = 'lists'),
    seriesField: (d) => (panel(d, 'timeseries').fieldConfig.defaults.custom.drawStyle = 'lines'),
    timelineOptions: (d) => (panel(d, 'state-timeline').options.mergeValue = true),
    overrideName: (d) => (panel(d, 'timeseries').fieldConfig.overrides[0].properties[0].id = 'custom.fillBelow'),
    overrideValue: (d) => panel(d, 'table').fieldConfig.overrides[0].properties.push({ id: 'decimals', value: '1' }),
    transformation: (d) => (panel(d, 'table').transformations[1].options.hideByName = {}),
};

const folder = mkdtempSync(join(tmpdir(), 'dashboard-'));
try {
    cpSync(join(here, 'dashboard-types.ts'), join(folder, 'dashboard-types.ts'));
    symlinkSync(join(here, 'node_modules'), join(folder, 'node_modules'));
    writeFileSync(join(folder, 'package.json'), '{"type": "module"}');
    const options = { strict: true, noEmit: true, skipLibCheck: true, module: 'esnext', moduleResolution: 'bundler' };
    options.types = [];
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions: options, include: ['*.ts'] }));
    const write = (name, dashboard) => {
        const text = `import type { File } from './dashboard-types';\nexport const dashboard: File = `;
        writeFileSync(join(folder, `${name}.ts`), `${text}${JSON.stringify(dashboard, null, 2)};\n`);
    };
    write('dashboard', read());
    for (const [name, change] of Object.entries(changes)) {
        const dashboard = read();
        change(dashboard);
        write(`wrong-${name}`, dashboard);
    }
    const tsc = spawnSync(join(here, 'node_modules/.bin/tsc'), ['--project', folder, '--pretty', 'false'], {
        encoding: 'utf8',
        cwd: folder,
    });
    const faults = tsc.stdout.split('\n').filter((line) => line !== '');
    const elsewhere = faults.filter((line) => !line.startsWith('wrong-') && !line.startsWith(' '));
    assert.deepEqual(elsewhere, [], tsc.stdout.slice(0, 4000) + tsc.stderr);
    for (const name of Object.keys(changes)) {
        assert(tsc.stdout.includes(`wrong-${name}.ts(`), `${name} is not refused`);
    }
    console.log(`the dashboard fits Grafana's types; ${Object.keys(changes).length} changed ones do not`);
} finally {
    rmSync(folder, { recursive: true });
}
