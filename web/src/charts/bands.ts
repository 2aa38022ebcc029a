/**
 * What is known against a stretch of the chart, drawn behind its candles.
 *
 * takes  flagged bars (trades are missing, no candle at all, begun late, mended)
 * gives  a hatched band with a solid top edge for holes; an edge alone for what is mended or late
 * never  narrower than BAND_PX_MIN, so that a hole of one bar is seen at any zoom
 */

import type {
  IChartApiBase,
  IPrimitivePaneRenderer,
  IPrimitivePaneView,
  ISeriesPrimitive,
  PrimitivePaneViewZOrder,
  SeriesAttachedParameter,
  Time,
  UTCTimestamp,
} from 'lightweight-charts';
import { faded, type Colours } from './colours.ts';

export type BandKind = 'gap' | 'absent' | 'partial' | 'mended';

export interface Band {
  readonly time: UTCTimestamp;
  readonly kind: BandKind;
}

const BAND_PX_MIN = 4;
const EDGE_PX = 3;
const HATCH_PX = 7;
const PAD_BARS = 2;

type Target = Parameters<IPrimitivePaneRenderer['draw']>[0];

interface Span {
  left: number;
  right: number;
  readonly kind: BandKind;
}

export class Bands implements ISeriesPrimitive<Time> {
  #chart: IChartApiBase<Time> | null = null;
  #update: () => void = () => undefined;
  #bands: readonly Band[] = [];
  #colours: Colours;
  readonly #views: readonly IPrimitivePaneView[];

  constructor(colours: Colours) {
    this.#colours = colours;
    const renderer: IPrimitivePaneRenderer = {
      draw: () => undefined,
      drawBackground: (target) => this.#draw(target),
    };
    this.#views = [
      { zOrder: (): PrimitivePaneViewZOrder => 'bottom', renderer: () => renderer },
    ];
  }

  attached(to: SeriesAttachedParameter<Time>): void {
    this.#chart = to.chart;
    this.#update = to.requestUpdate;
  }

  detached(): void {
    this.#chart = null;
    this.#update = () => undefined;
  }

  paneViews(): readonly IPrimitivePaneView[] {
    return this.#views;
  }

  show(bands: readonly Band[], colours: Colours): void {
    this.#bands = bands;
    this.#colours = colours;
    this.#update();
  }

  /** Neighbouring bars of one kind as one span of x, in CSS pixels. */
  #spans(): Span[] {
    const scale = this.#chart?.timeScale();
    const visible = scale?.getVisibleLogicalRange();
    if (!scale || !visible) return [];
    const half = Math.max(scale.options().barSpacing, BAND_PX_MIN) / 2;
    const first = scale.logicalToCoordinate(Math.floor(visible.from - PAD_BARS) as never) ?? 0;
    const last = scale.logicalToCoordinate(Math.ceil(visible.to + PAD_BARS) as never) ?? 0;
    const spans: Span[] = [];
    for (const band of this.#bands) {
      const x = scale.timeToCoordinate(band.time);
      if (x === null || x < first || x > last) continue;
      const before = spans.at(-1);
      if (before?.kind === band.kind && x - half <= before.right + 1) before.right = x + half;
      else spans.push({ left: x - half, right: x + half, kind: band.kind });
    }
    return spans;
  }

  #colourOf(kind: BandKind): string {
    if (kind === 'gap' || kind === 'mended') return this.#colours.gap;
    return kind === 'absent' ? this.#colours.absent : this.#colours.muted;
  }

  #draw(target: Target): void {
    const spans = this.#spans();
    if (!spans.length) return;
    target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: ratio }) => {
      for (const { left, right, kind } of spans) {
        const x = Math.round(left * ratio);
        const width = Math.max(1, Math.round(right * ratio) - x);
        const colour = this.#colourOf(kind);
        const hole = kind === 'gap' || kind === 'absent';
        context.save();
        context.beginPath();
        context.rect(x, 0, width, bitmapSize.height);
        context.clip();
        if (hole) {
          context.fillStyle = faded(colour, 0.14);
          context.fillRect(x, 0, width, bitmapSize.height);
          hatch(context, x, width, bitmapSize.height, ratio, faded(colour, 0.5));
        }
        context.fillStyle = hole ? colour : faded(colour, 0.55);
        context.fillRect(x, 0, width, Math.round(EDGE_PX * ratio));
        context.restore();
      }
    });
  }
}

function hatch(
  context: CanvasRenderingContext2D,
  x: number,
  width: number,
  height: number,
  ratio: number,
  colour: string,
): void {
  const step = HATCH_PX * ratio;
  context.strokeStyle = colour;
  context.lineWidth = Math.max(1, ratio);
  context.beginPath();
  const start = Math.floor((x - height) / step) * step;
  for (let at = start; at < x + width; at += step) {
    context.moveTo(at, height);
    context.lineTo(at + height, 0);
  }
  context.stroke();
}
