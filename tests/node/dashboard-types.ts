// What a dashboard's JSON may hold: Grafana's own types, with the options of each panel, and nothing beyond them.

import type {
    AnnotationQuery,
    Dashboard,
    DataSourceRef,
    FieldConfig,
    Panel,
    RowPanel,
    TableFieldOptions,
    TableOptions,
} from '@grafana/schema';
import type {
    FieldConfig as StateTimelineField,
    Options as StateTimelineOptions,
} from '@grafana/schema/dist/esm/raw/composable/statetimeline/panelcfg/x/StateTimelinePanelCfg_types.gen';
import type { Options as StatOptions } from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type {
    FieldConfig as TimeSeriesField,
    Options as TimeSeriesOptions,
} from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';
import type { Dataquery } from '@grafana/grafana-foundation-sdk/prometheus';
import type * as units from '@grafana/grafana-foundation-sdk/units';

// JSON has the values of string enumerations, not their names.
type Json<T> = T extends string ? `${T}` : T extends object ? { [K in keyof T]: Json<T[K]> } : T;

type Unit = Extract<(typeof units)[keyof typeof units], string>;

// Both packages describe links as unknown.
interface Link {
    title: string;
    url: string;
    targetBlank: boolean;
}

type Field = Omit<FieldConfig, 'custom' | 'unit' | 'links'> & { unit?: Unit; links?: Link[] };

// A property of an override, with the type that its field has.
type Property<F> = { [K in keyof F]-?: { id: K; value: NonNullable<F[K]> } }[keyof F];
type Custom<F> = { [K in keyof F & string]-?: { id: `custom.${K}`; value: NonNullable<F[K]> } }[keyof F & string];

interface Override<F> {
    matcher: { id: 'byName' | 'byRegexp'; options: string };
    properties: Array<Property<Field> | Custom<F>>;
}

// The types know no transformations.
type Transformation =
    | { id: 'merge'; options: Record<string, never> }
    | {
          id: 'organize';
          options: {
              excludeByName: Record<string, boolean>;
              indexByName: Record<string, number>;
              renameByName: Record<string, string>;
          };
      };

type Target = Omit<Dataquery, '_implementsDataqueryVariant'> & { refId: string; datasource: DataSourceRef };

type Shown<Type extends string, Options, F> = Omit<
    Panel,
    'type' | 'options' | 'fieldConfig' | 'targets' | 'transformations'
> & {
    type: Type;
    options: Options;
    fieldConfig: { defaults: Field & { custom?: Partial<F> }; overrides: Array<Override<F>> };
    targets: Target[];
    transformations?: Transformation[];
};

type AnyPanel =
    | Shown<'stat', StatOptions, Record<never, never>>
    | Shown<'table', TableOptions, TableFieldOptions>
    | Shown<'timeseries', TimeSeriesOptions, TimeSeriesField>
    | Shown<'state-timeline', StateTimelineOptions, StateTimelineField>
    | (Omit<RowPanel, 'panels'> & { panels: [] });

// How the data source for Prometheus describes an annotation stands in its own code alone.
type Annotation = Omit<AnnotationQuery, 'target'> & {
    target: { refId: string; expr: string };
    titleFormat: string;
    textFormat: string;
    tagKeys: string;
};

export type File = Json<
    Omit<Dashboard, 'panels' | 'annotations'> & { panels: AnyPanel[]; annotations: { list: Annotation[] } }
>;

