// The curve of sRGB (IEC 61966-2-1): how much light a value stands for, and the other way round. Both are from 0 to 1.

export const lightOf = (value: number): number => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4

export const valueOf = (light: number): number => light <= 0.0031308 ? 12.92 * light : 1.055 * light ** (1 / 2.4) - 0.055
