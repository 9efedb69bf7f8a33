// What a gateway tells Prometheus.
import type { Gateway } from '../helper.ts'

export const metricsOf = async ({ app }: Pick<Gateway, 'app'>): Promise<string> => (await app.inject('/metrics')).body
