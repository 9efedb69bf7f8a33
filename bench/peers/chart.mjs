// Bars beside each other, one below the other, as SVG.
import { parse, View } from 'vega'
import { compile } from 'vega-lite'

const charts = (all) => all.map(({ title, unit, bars }) => ({
  title: { text: title, anchor: 'start', fontSize: 12 },
  width: 420,
  height: { step: 22 },
  data: { values: bars },
  encoding: {
    y: { field: 'name', type: 'nominal', sort: null, title: null, axis: { labelLimit: 260, minExtent: 230, maxExtent: 230, ticks: false, domain: false } },
    x: { field: 'rate', type: 'quantitative', title: `${unit} a second`, axis: { grid: false, tickCount: 4 } },
  },
  layer: [
    { mark: { type: 'bar', cornerRadiusEnd: 2 }, encoding: { color: { field: 'isOwn', type: 'nominal', legend: null, scale: { domain: [true, false], range: ['#2563eb', '#cbd5e1'] } } } },
    { mark: { type: 'text', align: 'left', dx: 4 }, encoding: { text: { field: 'rate', type: 'quantitative', format: ',.4~r' } } },
  ],
}))

export async function draw (all, subtitle) {
  const { spec } = compile({
    background: 'white',
    padding: 16,
    title: { text: 'Upload Gateway beside others', subtitle, anchor: 'start' },
    vconcat: charts(all),
    resolve: { scale: { x: 'independent', y: 'independent' } },
    config: { font: 'sans-serif', view: { stroke: null } },
  })
  return new View(parse(spec), { renderer: 'none' }).toSVG()
}
