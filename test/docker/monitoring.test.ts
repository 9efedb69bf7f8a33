// The alert rules and the dashboard ask only for what /metrics tells.
import { readFileSync } from 'node:fs'
import { test, type Test } from 'tap'
import { build, picture } from '../helper.ts'

const read = (name: string) => readFileSync(new URL(`../../docker/${name}`, import.meta.url), 'utf8')

const functions = new Set(['or', 'max', 'min', 'sum', 'by', 'time', 'rate', 'increase', 'absent', 'histogram_quantile'])

/** The names of metrics in an expression of Prometheus: what is no function, no label and no text. */
function metricsIn (expression: string): string[] {
  const bare = expression.replaceAll(/"[^"]*"/g, '').replaceAll(/\{[^}]*\}/g, '').replaceAll(/\[[^\]]*\]/g, '').replaceAll(/by \([^)]*\)/g, '')
  return [...bare.matchAll(/[a-z_]\w*/gi)].map(([name]) => name).filter((name) => !functions.has(name))
}

async function exported (t: Test): Promise<Set<string>> {
  const { app, as } = await build(t)
  await app.inject({ method: 'PUT', url: '/api/avatars/me', headers: { ...await as('ada'), 'content-type': 'image/jpeg' }, payload: await picture() })
  const { body } = await app.inject('/metrics')
  const named = [...body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].flatMap(([, name = '', type]) => type === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name])
  return new Set(named)
}

test('every alert is about metrics that there are', async (t) => {
  const known = await exported(t)
  const expressions = [...read('prometheus-alerts.yaml').matchAll(/ expr: (?:\|\n((?: {10,}.*\n)+)|(.*)\n)/g)].map(([, lines, line]) => lines ?? line ?? '')
  t.ok(expressions.length >= 9)
  for (const expression of expressions) {
    const names = metricsIn(expression)
    t.ok(names.length > 0, expression.trim())
    for (const name of names) t.ok(known.has(name), `${name} is told by /metrics`)
  }
})

test('every alert says what is wrong and what to do', async (t) => {
  const alerts = read('prometheus-alerts.yaml').split('- alert: ').slice(1)
  for (const alert of alerts) t.match(alert, /expr: [^]*severity: (critical|warning)[^]*summary: .+[^]*description: .+/, alert.slice(0, alert.indexOf('\n')))
})

test('every panel of the dashboard shows metrics that there are', async (t) => {
  const known = await exported(t)
  const dashboard: unknown = JSON.parse(read('grafana-dashboard.json'))
  t.match(dashboard, { title: 'Upload Gateway', __inputs: [{ name: 'DS_PROMETHEUS' }] })
  const { panels } = dashboard as { panels: Array<{ title: string, targets: Array<{ expr: string, datasource: unknown }> }> }
  t.ok(panels.length > 10)
  for (const { title, targets } of panels) {
    for (const { expr, datasource } of targets) {
      t.match(datasource, { uid: ['$', '{DS_PROMETHEUS}'].join('') })
      for (const name of metricsIn(expr)) t.ok(known.has(name), `${title}: ${name} is told by /metrics`)
    }
  }
})

test('an alert on when something last came to its end does not believe a time to come', (t) => {
  const expressions = read('prometheus-alerts.yaml').split('- alert: ').filter((alert) => alert.includes('last_success'))
  t.equal(expressions.length, 2)
  for (const expression of expressions) t.match(expression, /time\(\) - max\((\w+)\) > .*\n +or max\(\1\) - time\(\) > 300\n/)
  t.end()
})
