// Each goal as a bar, one below the other, as SVG: what was reached of it, from a tenth to ten times.
import { parse, View } from 'vega'
import { compile } from 'vega-lite'

const range = [0.1, 10]
const within = (share) => Math.min(Math.max(share, range[0]), range[1])
const size = { width: 420, step: 20, names: 340 }

const charts = (all) => all.map(({ title, bars }, index) => ({
  title: { text: title, anchor: 'start', fontSize: 13, color: '#111827' },
  width: size.width,
  height: { step: size.step },
  data: { values: bars.map((bar) => ({ ...bar, end: within(bar.share), goal: 1 })) },
  encoding: {
    y: { field: 'name', type: 'nominal', sort: null, title: null, axis: { labelLimit: 0, minExtent: size.names, maxExtent: size.names, labelAlign: 'left', labelPadding: size.names, labelFontSize: 12, labelColor: '#111827', ticks: false, domain: false } },
    x: {
      field: 'goal',
      type: 'quantitative',
      scale: { type: 'log', domain: range },
      title: null,
      axis: index < all.length - 1 ? null : { values: [0.1, 0.2, 0.5, 1, 2, 5, 10], labelExpr: "datum.value == 1 ? 'the goal' : datum.value + ' ×'", labelFontSize: 12, labelColor: '#111827', grid: false },
    },
  },
  layer: [
    {
      mark: { type: 'bar', height: 13 },
      encoding: { x2: { field: 'end' }, color: { field: 'isMet', type: 'nominal', legend: null, scale: { domain: [true, false], range: ['#2563eb', '#f59e0b'] } } },
    },
    { mark: { type: 'tick', color: '#111827', thickness: 2, height: 18 } },
    { mark: { type: 'text', align: 'left', fontSize: 12, color: '#111827' }, encoding: { x: { value: size.width + 8 }, text: { field: 'said' } } },
  ],
}))

export async function draw (all, subtitle) {
  const { spec } = compile({
    background: 'white',
    padding: 16,
    spacing: 14,
    title: { text: 'Upload Gateway beside others: blue bars reach beyond their goals, orange ones fall short of them', subtitle: subtitle.split('; '), anchor: 'start', fontSize: 15, subtitleFontSize: 11, offset: 14, color: '#111827', subtitleColor: '#374151' },
    vconcat: charts(all.filter(({ bars }) => bars.length > 0)),
    resolve: { scale: { x: 'independent', y: 'independent' } },
    config: { font: 'sans-serif', view: { stroke: null } },
  })
  return new View(parse(spec), { renderer: 'none' }).toSVG()
}
